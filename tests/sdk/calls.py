"""Calls each operation with both generations of the official SDK. The new one signs by V3, the old one by V1."""

import json
import sys

from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkvod.request.v20170321 import (
    DescribeVodRefreshQuotaRequest,
    DescribeVodRefreshTasksRequest,
    DescribeVodUserDomainsRequest,
    PreloadVodObjectCachesRequest,
)
from alibabacloud_tea_openapi import models as open_api
from alibabacloud_vod20170321 import models
from alibabacloud_vod20170321.client import Client

ENDPOINT = sys.argv[1].removeprefix("http://").rstrip("/")
ID, SECRET, TOKEN = "STS.sdk", "sdk-secret", "sdk+token/="
URLS = "https://vod.example.com/a/1.mp4?x=1&y=%2B\nhttps://vod.example.com/%E7%94%B5%E5%BD%B1*~.mp4"


def new(secret=SECRET):
    return Client(
        open_api.Config(
            access_key_id=ID,
            access_key_secret=secret,
            security_token=TOKEN,
            endpoint=ENDPOINT,
            protocol="http",
            region_id="cn-shanghai",
        )
    )


def old(request, secret=SECRET, **parameters):
    client = AcsClient(region_id="cn-shanghai", credential=StsTokenCredential(ID, secret, TOKEN), auto_retry=False)
    request.set_endpoint(ENDPOINT)
    request.set_protocol_type("http")
    request.set_accept_format("json")
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    return json.loads(client.do_action_with_exception(request))


def check(what, is_so):
    if not is_so:
        sys.exit(f"{what} is not as it should be")
    print(f"ok  {what}")


def refused(call):
    try:
        call()
    except Exception as error:
        return str(error)
    return ""


client = new()
preloaded = client.preload_vod_object_caches(
    models.PreloadVodObjectCachesRequest(object_path=URLS, area="domestic")
).body
check("new, V3: a prefetch", preloaded.preload_task_id)
quota = client.describe_vod_refresh_quota(models.DescribeVodRefreshQuotaRequest()).body
check("new, V3: the quota", int(quota.preload_remain) < int(quota.preload_quota))
tasks = client.describe_vod_refresh_tasks(
    models.DescribeVodRefreshTasksRequest(object_type="preload", task_id=preloaded.preload_task_id)
).body
check("new, V3: the tasks", {task.object_path for task in tasks.tasks.task} == set(URLS.split("\n")))
domains = client.describe_vod_user_domains(models.DescribeVodUserDomainsRequest(page_size=50)).body
check("new, V3: the domains", domains.domains.page_data[0].domain_status == "online")
wrong = refused(lambda: new("wrong").describe_vod_refresh_quota(models.DescribeVodRefreshQuotaRequest()))
check("new, V3: a wrong secret", "SignatureDoesNotMatch" in wrong)

preloaded = old(PreloadVodObjectCachesRequest.PreloadVodObjectCachesRequest(), ObjectPath=URLS, Area="domestic")
check("old, V1: a prefetch", preloaded["PreloadTaskId"])
quota = old(DescribeVodRefreshQuotaRequest.DescribeVodRefreshQuotaRequest())
check("old, V1: the quota", int(quota["PreloadRemain"]) < int(quota["PreloadQuota"]))
tasks = old(
    DescribeVodRefreshTasksRequest.DescribeVodRefreshTasksRequest(),
    ObjectType="preload",
    TaskId=preloaded["PreloadTaskId"],
)
check("old, V1: the tasks", {task["ObjectPath"] for task in tasks["Tasks"]["Task"]} == set(URLS.split("\n")))
domains = old(DescribeVodUserDomainsRequest.DescribeVodUserDomainsRequest(), PageSize=50)
check("old, V1: the domains", domains["Domains"]["PageData"][0]["DomainStatus"] == "online")
wrong = refused(lambda: old(DescribeVodRefreshQuotaRequest.DescribeVodRefreshQuotaRequest(), secret="wrong"))
# It says so itself where the answer repeats what was signed, and that is what it had signed.
check("old, V1: a wrong secret", "InvalidAccessKeySecret" in wrong)
