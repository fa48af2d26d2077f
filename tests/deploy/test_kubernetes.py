"""The Kubernetes manifests: they fit the API, each other, the images and what the programs read."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from booking.admin import Admin
from booking.cli import main as booking_command
from booking.serving import GRACE_S as BOOKING_S
from tests.deploy.files import (
    SECRETS,
    Image,
    booking_config,
    documents,
    lies_in,
    manifest,
    port_of,
    waitroom_config,
)
from waitroom.supervisor import GRACE_S as WORKER_S

ALL = documents()
RUNNING = [one for one in ALL if one["kind"] in ("Deployment", "Job", "CronJob")]
DEPLOYED = ["waitroom", "booking"]
# Where waitroom finds the address of its Redis, with the password.
STORE = "/etc/waitroom-store/url"


def name_of(document: dict[str, Any]) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    template: dict[str, Any] = (spec["jobTemplate"]["spec"] if document["kind"] == "CronJob" else spec)["template"]
    return template


def container_of(document: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(document)["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def ports_of(deployment: str) -> dict[str, int]:
    ports = container_of(manifest("Deployment", deployment))["ports"]
    return {port["name"]: port["containerPort"] for port in ports}


@pytest.fixture
def waitroom(tmp_path: Path) -> Any:
    text = manifest("ConfigMap", "waitroom")["data"]["waitroom.toml"]
    assert STORE in text
    (tmp_path / "url").write_text(SECRETS["BOOKING_REDIS_URL"])
    return waitroom_config(text.replace(STORE, str(tmp_path / "url")))


@pytest.fixture
def booking(tmp_path: Path) -> Any:
    return booking_config(manifest("ConfigMap", "booking")["data"], tmp_path)


@pytest.mark.parametrize("document", ALL, ids=name_of)
def test_it_fits_the_schema_of_the_api(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.37", strict=True)


def test_no_two_have_one_name() -> None:
    names = [name_of(one) for one in ALL]
    assert sorted(set(names)) == sorted(names)


def test_waitroom_listens_where_its_pod_says(waitroom: Any) -> None:
    ports = ports_of("waitroom")
    assert [port_of(address) for address in waitroom.public_addresses] == [ports["http"]]
    assert port_of(waitroom.admin.listen) == ports["admin"]
    assert set(ports.values()) == Image.of("waitroom").ports


def test_booking_listens_where_its_pod_says(booking: Any) -> None:
    ports = ports_of("booking")
    assert (port_of(booking.listen), port_of(booking.admin_listen)) == (ports["http"], ports["admin"])
    assert ports["http"] in Image.of("booking").ports


@pytest.mark.parametrize("name", DEPLOYED)
def test_probes_ask_a_port_of_the_pod(name: str) -> None:
    container = container_of(manifest("Deployment", name))
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["port"] for probe in probes} <= ports_of(name).keys()


def test_booking_has_the_paths_that_its_probes_ask() -> None:
    container = container_of(manifest("Deployment", "booking"))
    nothing: Any = None
    routes = Admin(metrics=nothing, unfinished=nothing, needed={}, helpful={}).app().router.resources()
    known = {route.canonical for route in routes}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in known


@pytest.mark.parametrize("name", DEPLOYED)
def test_services_lead_to_ports_of_the_pods(name: str) -> None:
    for service in (name, f"{name}-admin"):
        spec = manifest("Service", service)["spec"]
        assert spec["selector"].items() <= pod_of(manifest("Deployment", name))["metadata"]["labels"].items()
        assert {port["targetPort"] for port in spec["ports"]} <= ports_of(name).keys()


@pytest.mark.parametrize("name", DEPLOYED)
def test_selectors_find_the_pods(name: str) -> None:
    deployment = manifest("Deployment", name)
    labels = pod_of(deployment)["metadata"]["labels"].items()
    spread = pod_of(deployment)["spec"]["topologySpreadConstraints"]
    selectors = [
        deployment["spec"]["selector"],
        manifest("PodDisruptionBudget", name)["spec"]["selector"],
        *(one["labelSelector"] for one in spread),
    ]
    assert all(selector["matchLabels"].items() <= labels for selector in selectors)


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_autoscaler_scales_what_there_is_and_leaves_enough_to_be_disrupted(name: str) -> None:
    spec = manifest("HorizontalPodAutoscaler", name)["spec"]
    assert name_of({"kind": spec["scaleTargetRef"]["kind"], "metadata": spec["scaleTargetRef"]}) == f"Deployment/{name}"
    assert "replicas" not in manifest("Deployment", name)["spec"]
    assert spec["minReplicas"] > manifest("PodDisruptionBudget", name)["spec"]["maxUnavailable"]
    # What utilization is counted against.
    assert container_of(manifest("Deployment", name))["resources"]["requests"]["cpu"]


def test_a_pod_has_the_time_that_its_last_requests_may_take(waitroom: Any) -> None:
    for name, longest_s in (("waitroom", waitroom.server.drain_s + WORKER_S), ("booking", BOOKING_S)):
        spec = pod_of(manifest("Deployment", name))["spec"]
        command, seconds = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert command == "sleep"
        assert spec["terminationGracePeriodSeconds"] > int(seconds) + longest_s


def test_what_waitroom_reads_and_writes_is_mounted_as_folders(waitroom: Any) -> None:
    deployment = manifest("Deployment", "waitroom")
    mounts = {mount["mountPath"]: mount for mount in container_of(deployment)["volumeMounts"]}
    assert not any("subPath" in mount for mount in mounts.values())
    config = Image.of("waitroom").config
    assert config
    assert str(Path(config).parent) in mounts
    assert Path(config).name in manifest("ConfigMap", "waitroom")["data"]
    for file in (*waitroom.keys.admission, *waitroom.keys.ticket, STORE):
        assert lies_in(file, list(mounts))
    # Each pod its own: an emptyDir, and not a claim that several share.
    state = mounts[waitroom.server.state]["name"]
    assert {"name": state, "emptyDir": {}} in pod_of(deployment)["spec"]["volumes"]


@pytest.mark.parametrize("document", [one for one in RUNNING if "booking" in name_of(one)], ids=name_of)
def test_what_booking_reads_and_writes_is_mounted(document: dict[str, Any]) -> None:
    variables = manifest("ConfigMap", "booking")["data"]
    mounts = [mount["mountPath"] for mount in container_of(document)["volumeMounts"]]
    files = [value for name, value in variables.items() if name.endswith("_FILE")]
    assert files
    assert all(lies_in(path, mounts) for path in [*files, variables["BOOKING_STATE_FOLDER"]])


@pytest.mark.parametrize("document", RUNNING, ids=name_of)
def test_volumes_are_what_is_mounted(document: dict[str, Any]) -> None:
    spec = pod_of(document)["spec"]
    mounted = {mount["name"] for mount in container_of(document)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert manifest("ConfigMap", volume["configMap"]["name"])


@pytest.mark.parametrize("document", RUNNING, ids=name_of)
def test_it_runs_with_no_more_rights_than_it_needs(document: dict[str, Any]) -> None:
    spec = pod_of(document)["spec"]
    image = "waitroom" if name_of(document) == "Deployment/waitroom" else "booking"
    assert spec["securityContext"]["runAsUser"] == Image.of(image).user
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec["automountServiceAccountToken"]
    assert container_of(document)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container_of(document)["resources"]["limits"]


@pytest.mark.parametrize("document", [one for one in RUNNING if "args" in container_of(one)], ids=name_of)
def test_jobs_give_commands_that_there_are(document: dict[str, Any]) -> None:
    assert container_of(document)["args"][0] in booking_command.commands


def test_the_site_is_reached_through_waitroom_alone(waitroom: Any) -> None:
    """I6, on the network: what policies leave open, and to whom."""
    rules = manifest("NetworkPolicy", "booking")["spec"]["ingress"]
    to_site = [rule for rule in rules if {"protocol": "TCP", "port": "http"} in rule["ports"]]
    assert [rule["from"] for rule in to_site] == [
        [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "waitroom"}}}]
    ]
    nobody = manifest("NetworkPolicy", "nobody")["spec"]
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert [origin for room in waitroom.rooms for origin in room.origins] == ["http://booking"]


def test_every_pod_has_a_policy_that_names_it_and_ports_that_it_has() -> None:
    for name in DEPLOYED:
        spec = manifest("NetworkPolicy", name)["spec"]
        assert spec["podSelector"]["matchLabels"].items() <= (
            pod_of(manifest("Deployment", name))["metadata"]["labels"].items()
        )
        assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == ports_of(name).keys()
    (jobs,) = manifest("NetworkPolicy", "booking-jobs")["spec"]["podSelector"]["matchExpressions"]
    labels = {
        pod_of(one)["metadata"]["labels"]["app.kubernetes.io/name"] for one in RUNNING if one["kind"] != "Deployment"
    }
    assert set(jobs["values"]) == labels
