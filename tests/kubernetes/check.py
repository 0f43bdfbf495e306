"""Checks manifests from standard input: see `check` beside this file."""

import copy
import sys

import kubernetes_validate
import yaml

# The oldest that has all of it without feature gates, and the newest whose schema there is.
VERSIONS = ["1.33", "1.37"]


def main():
    manifests = list(yaml.safe_load_all(sys.stdin))
    wrong = problems(manifests)
    for problem in wrong:
        print(problem, file=sys.stderr)
    print(f"{len(manifests)} manifests, Kubernetes {' and '.join(VERSIONS)}: {len(wrong)} problems")
    return 1 if wrong else show_that_it_fails(manifests)


def problems(manifests):
    found = []
    for manifest in manifests:
        name = f"{manifest.get('kind')}/{manifest.get('metadata', {}).get('name')}"
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as e:
                found.append(f"{name}: {'.'.join(map(str, e.path))}: {e.message} ({version})")
        if manifest.get("kind") == "Job" and not found:
            found += [f"{name}: {problem}" for problem in job_problems(manifest["spec"])]
    return found or together(manifests)


# https://kubernetes.io/docs/concepts/workloads/controllers/job/ and pkg/apis/batch/validation
def job_problems(spec):
    pod = spec["template"]["spec"]
    containers = [container["name"] for container in pod["containers"]]
    if pod.get("restartPolicy") != "Never":
        yield "podFailurePolicy and backoffLimitPerIndex need restartPolicy: Never"
    if "backoffLimitPerIndex" in spec and spec.get("completionMode") != "Indexed":
        yield "backoffLimitPerIndex needs completionMode: Indexed"
    if spec.get("completionMode") == "Indexed" and "completions" not in spec:
        yield "completionMode: Indexed needs completions"
    for rule in spec.get("podFailurePolicy", {}).get("rules", []):
        if rule["action"] not in ("FailJob", "FailIndex", "Ignore", "Count"):
            yield f"no action is called {rule['action']}"
        if rule["action"] == "FailIndex" and "backoffLimitPerIndex" not in spec:
            yield "FailIndex needs backoffLimitPerIndex"
        if ("onExitCodes" in rule) == ("onPodConditions" in rule):
            yield "a rule has either onExitCodes or onPodConditions"
        codes = rule.get("onExitCodes")
        if not codes:
            continue
        if codes.get("containerName") not in containers:
            yield f"no container {codes.get('containerName')}"
        values = codes["values"]
        if values != sorted(set(values)) or (codes["operator"] == "In" and 0 in values) or len(values) > 255:
            yield "exit codes are in order, once each, and never 0"
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    for container in pod["containers"] + pod.get("initContainers", []):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"no volume {mount['name']}"
        yield from restricted(pod.get("securityContext", {}), container)


# https://kubernetes.io/docs/concepts/security/pod-security-standards/, "Restricted"
def restricted(pod, container):
    own = container.get("securityContext", {})
    if not pod.get("runAsNonRoot") or not pod.get("runAsUser"):
        yield "may run as root"
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities", {}).get("drop") != ["ALL"]:
        yield f"{container['name']} may gain rights"
    if not own.get("readOnlyRootFilesystem"):
        yield f"{container['name']} may write to its image"
    if "limits" not in container.get("resources", {}) or "requests" not in container["resources"]:
        yield f"{container['name']} has no limits"


# What one file says and another one has to know.
def together(manifests):
    by_name = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}
    found = []
    plan = by_name["Job", "oneway-plan"]["spec"]["template"]["spec"]["containers"][0]["args"]
    shards = by_name["Job", "oneway-shards"]["spec"]["completions"]
    if f"--shards={shards}" not in plan:
        found.append(f"shards.yaml has {shards} shares, plan.yaml another number")
    for (kind, name), manifest in by_name.items():
        if "oneway/stage" not in manifest["metadata"]["labels"]:
            found.append(f"{kind}/{name} has no stage")
        if kind != "Job":
            continue
        for volume in manifest["spec"]["template"]["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and ("PersistentVolumeClaim", claim) not in by_name:
                found.append(f"{name}: no claim {claim}")
    return found


def show_that_it_fails(manifests):
    index = next(i for i, manifest in enumerate(manifests) if manifest["metadata"]["name"] == "oneway-shards")
    breaks = {
        "a misspelt field": lambda spec: spec.update(paralelism=4),
        "a text for a number": lambda spec: spec.update(completions="sixteen"),
        "a missing field": lambda spec: spec["podFailurePolicy"]["rules"][0]["onPodConditions"][0].pop("status"),
        "an unknown action": lambda spec: spec["podFailurePolicy"]["rules"][1].update(action="FailShard"),
        "retries in the pod": lambda spec: spec["template"]["spec"].update(restartPolicy="OnFailure"),
        "no index": lambda spec: spec.pop("completionMode"),
        "exit status 0": lambda spec: spec["podFailurePolicy"]["rules"][1]["onExitCodes"].update(values=[0, 2]),
        "another container": lambda spec: spec["podFailurePolicy"]["rules"][1]["onExitCodes"].update(containerName="x"),
        "another number of shares": lambda spec: spec.update(completions=8),
        "no volume": lambda spec: spec["template"]["spec"]["volumes"].pop(),
        "root": lambda spec: spec["template"]["spec"]["securityContext"].update(runAsUser=0),
    }
    unseen = 0
    for name, damage in breaks.items():
        broken = copy.deepcopy(manifests)
        damage(broken[index]["spec"])
        seen = problems(broken)
        if not seen:
            unseen += 1
            print(f"not seen: {name}", file=sys.stderr)
    print(f"of {len(breaks)} ways to break them, {len(breaks) - unseen} were seen")
    return 1 if unseen else 0


sys.exit(main())
