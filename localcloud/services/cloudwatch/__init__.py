"""CloudWatch: moto's metrics; alarms validated as AWS does, and evaluated; dashboards validated.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from botocore import xform_name

from localcloud.cloud import Cloud
from localcloud.services.cloudwatch.alarms import Alarms
from localcloud.services.cloudwatch.dashboards import check_dashboard
from localcloud.services.cloudwatch.reading import Reading
from localcloud.services.cloudwatch.validation import SERVICE
from localcloud.services.cloudwatch.watching import Watch

AUTOSCALING = "application-autoscaling"
OPERATIONS = (
    "PutMetricAlarm",
    "PutCompositeAlarm",
    "DescribeAlarms",
    "DescribeAlarmsForMetric",
    "DeleteAlarms",
    "SetAlarmState",
)


def register(cloud: Cloud) -> None:
    """Answer the operations on alarms; look at dashboards before moto takes them."""
    alarms = Alarms(cloud)
    for operation in OPERATIONS:
        cloud.api.replace(SERVICE, operation, getattr(alarms, xform_name(operation)))
    cloud.api.before(SERVICE, "PutDashboard", check_dashboard)
    watch = Watch(cloud, alarms)
    cloud.parts[SERVICE] = watch
    cloud.api.after(SERVICE, "PutMetricData", watch.put_metric_data)
    cloud.api.replace(SERVICE, "GetMetricData", Reading(cloud, watch).get_metric_data)
    if AUTOSCALING in cloud.parts:  # tests start some parts alone
        watch.add_follower(cloud.parts[AUTOSCALING].evaluate)
    cloud.background("cloudwatch", watch.run)
