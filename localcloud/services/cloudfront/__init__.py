"""Amazon CloudFront in front of S3 origins, wholly ours: moto forgets half of the configuration.

Reproduced: one default cache behaviour, aliases with certificates of ACM, origin access control with
the bucket's policy, cache policies and invalidations, functions on viewer-request, response headers
policies, custom error responses, redirect to HTTPS. Refused: custom origins, further behaviours,
other functions.
"""

from __future__ import annotations

from localcloud.cloud import Cloud
from localcloud.services.cloudfront.distributions import CloudFront


def register(cloud: Cloud) -> None:
    """Put CloudFront in place."""
    service = CloudFront(cloud)
    cloud.parts["cloudfront"] = service
    cloud.api.replace_service("cloudfront", service)
