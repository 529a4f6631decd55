"""Calls every operation of each product with both generations of its official SDK: new ones sign by V3, old ones by V1."""

import importlib
import json
import re
import sys

from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from alibabacloud_tea_openapi import models as open_api

ENDPOINT = sys.argv[1].removeprefix("http://").rstrip("/")
ID, SECRET, TOKEN = "STS.sdk", "sdk-secret", "sdk+token/="
URLS = "https://vod.example.com/a/1.mp4?x=1&y=%2B\nhttps://vod.example.com/%E7%94%B5%E5%BD%B1*~.mp4"
DIRECTORIES = "https://vod.example.com/a/\nhttps://vod.example.com/%E7%94%B5%E5%BD%B1/"

# Old and new package, and the operations: prefetch, its task IDs, purge, tasks, where they are, by ID, quota, domains.
PRODUCTS = {
    "vod": (
        ("aliyunsdkvod.request.v20170321", "alibabacloud_vod20170321"),
        ("PreloadVodObjectCaches", "PreloadTaskId", "RefreshVodObjectCaches"),
        ("DescribeVodRefreshTasks", "Task", None),
        ("DescribeVodRefreshQuota", "DescribeVodUserDomains"),
    ),
    "cdn": (
        ("aliyunsdkcdn.request.v20180510", "alibabacloud_cdn20180510"),
        ("PushObjectCache", "PushTaskId", "RefreshObjectCaches"),
        ("DescribeRefreshTasks", "CDNTask", "DescribeRefreshTaskById"),
        ("DescribeRefreshQuota", "DescribeUserDomains"),
    ),
    "dcdn": (
        ("aliyunsdkdcdn.request.v20180115", "alibabacloud_dcdn20180115"),
        ("PreloadDcdnObjectCaches", "PreloadTaskId", "RefreshDcdnObjectCaches"),
        ("DescribeDcdnRefreshTasks", "Task", "DescribeDcdnRefreshTaskById"),
        ("DescribeDcdnRefreshQuota", "DescribeDcdnUserDomains"),
    ),
}


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def new(package):
    """A function that calls an operation with the new SDK; returns the answer's fields as the vendor spells them."""
    models = importlib.import_module(f"{package}.models")
    client = importlib.import_module(f"{package}.client").Client

    def call(operation, secret=SECRET, **parameters):
        config = open_api.Config(
            access_key_id=ID,
            access_key_secret=secret,
            security_token=TOKEN,
            endpoint=ENDPOINT,
            protocol="http",
            region_id="cn-shanghai",
        )
        request = getattr(models, f"{operation}Request")()
        for name, value in parameters.items():
            setattr(request, snake(name), value)
        return getattr(client(config), snake(operation))(request).body.to_map()

    return call


def old(package):
    """The same with the old SDK."""

    def call(operation, secret=SECRET, **parameters):
        request = getattr(importlib.import_module(f"{package}.{operation}Request"), f"{operation}Request")()
        client = AcsClient(region_id="cn-shanghai", credential=StsTokenCredential(ID, secret, TOKEN), auto_retry=False)
        request.set_endpoint(ENDPOINT)
        request.set_protocol_type("http")
        request.set_accept_format("json")
        for name, value in parameters.items():
            # Of some parameters that came later it knows nothing.
            setter = getattr(request, f"set_{name}", None)
            setter(value) if setter else request.add_query_param(name, value)
        return json.loads(client.do_action_with_exception(request))

    return call


def refused(call):
    try:
        call()
    except Exception as error:
        return str(error)
    return ""


def run(product, generation, call, operations, wrong_secret):
    (prefetch, ids, purge), (tasks, rows, by_id), (quota, domains) = operations

    def check(what, is_so):
        if not is_so:
            sys.exit(f"{product}, {generation}: {what} is not as it should be")
        print(f"ok  {product}, {generation}: {what}")

    def paths(listed):
        return {row["ObjectPath"] for row in listed}

    urls, directories = set(URLS.split("\n")), set(DIRECTORIES.split("\n"))
    preloaded = call(prefetch, ObjectPath=URLS, Area="domestic")[ids]
    check("a prefetch", preloaded)
    purged = call(purge, ObjectPath=URLS, ObjectType="File")["RefreshTaskId"]
    check("a purge of URLs", purged)
    emptied = call(purge, ObjectPath=DIRECTORIES, ObjectType="Directory", Force=True)["RefreshTaskId"]
    check("a purge of directories", emptied)
    listed = call(tasks, ObjectType="preload", TaskId=preloaded)["Tasks"][rows]
    check("the tasks of a prefetch", paths(listed) == urls and listed[0]["ObjectType"] == "preload")
    check("the tasks of a purge", paths(call(tasks, ObjectType="file", TaskId=purged)["Tasks"][rows]) == urls)
    listed = call(tasks, ObjectType="directory", TaskId=emptied)["Tasks"][rows]
    check("the tasks of directories", paths(listed) == directories)
    if by_id:
        listed = call(by_id, TaskId=f"{preloaded},{emptied}")["Tasks"]
        check("tasks by ID", paths(listed) == urls | directories)
    left = call(quota)
    for name in ("Preload", "Url", "Dir"):
        check(f"the quota of {name}", int(left[f"{name}Remain"]) < int(left[f"{name}Quota"]))
    check("the domains", call(domains, PageSize=50)["Domains"]["PageData"][0]["DomainStatus"] == "online")
    # The old one says so itself where the answer repeats what was signed, and that is what it had signed.
    check("a wrong secret", wrong_secret in refused(lambda: call(quota, secret="wrong")))


for product, ((old_package, new_package), *operations) in PRODUCTS.items():
    run(product, "new, V3", new(new_package), operations, "SignatureDoesNotMatch")
    run(product, "old, V1", old(old_package), operations, "InvalidAccessKeySecret")
