#!/usr/bin/python
"""Build an image and push it to Amazon ECR, or find one: documentation, argument spec and a thin main()."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecr_image
short_description: Build an image and push it to Amazon ECR, or find one
version_added: "0.1.0"
description:
  - >-
    Builds the image of a release from the application folder and pushes what the repository
    does not have yet.
  - >-
    The tag holds the release and a hash over the inputs, so what exists is never built
    again. With O(image) an image built elsewhere is looked up.
author:
  - The Lyo Ops authors (@lyo-ops)
attributes:
  check_mode:
    description: Says what would change, changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: full
extends_documentation_fragment: [lyo, lyo.app]
options:
  repository_url:
    description: Address of the repository, C(<account>.dkr.ecr.<region>.amazonaws.com/<name>).
    type: str
    required: true
  release:
    description: Release to build. Needed without O(image).
    type: str
  image:
    description: Image built elsewhere, as address, tag or digest. It must exist.
    type: str
  cache_dir:
    description: Folder that keeps built layers.
    type: path
    default: .cache/images
"""

EXAMPLES = r"""
- name: Image
  ecr_image:
    aws: "{{ lyo_aws }}"
    repository_url: "{{ plan.outputs.repository_url }}"
    release: "{{ plan.wanted.release }}"
    app:
      path: examples/booking
  register: image
"""

RETURN = r"""
image:
  description: Address with digest, what a task definition names. With tag where only predicted.
  returned: always
  type: str
  sample: 123456789012.dkr.ecr.eu-south-1.amazonaws.com/lyo@sha256:0123
digest:
  description: Digest of the manifest. Empty where only predicted.
  returned: always
  type: str
tag:
  description: Tag, empty for an image named by digest alone.
  returned: always
  type: str
release:
  description: Name of the release.
  returned: always
  type: str
pushed:
  description: Bytes and number of the layers that were pushed.
  returned: always
  type: dict
  sample: {layers: 1, bytes: 52311}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lyo_aws import aws_argument_spec
from ansible.module_utils.lyo_release.options import app_spec


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **aws_argument_spec(),
            "repository_url": {"type": "str", "required": True},
            "release": {"type": "str"},
            "image": {"type": "str"},
            "app": app_spec(required=False),
            "cache_dir": {"type": "path", "default": ".cache/images"},
        },
        required_one_of=[["release", "image"], ["app", "image"]],
        supports_check_mode=True,
    )
    # Imported after the arguments are known to be right: a mistyped one is told at once.
    from ansible.module_utils.lyo_image.run_image import run

    run(module)


if __name__ == "__main__":
    main()
