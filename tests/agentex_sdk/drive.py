"""The steps of the published Agentex SDK against a daemon: drive.py BASE_URL OPERATOR_TOKEN.

Every answer is validated strictly by the SDK's own models, and holds no field they do not know.
"""

import sys
from datetime import datetime

import agentex
from agentex import Agentex

BASE, TOKEN = sys.argv[1:]


def client(**more):
    # No retries: a first answer that is wrong must not be hidden by a second one.
    return Agentex(base_url=BASE, api_key=TOKEN, max_retries=0, _strict_response_validation=True, **more)


def known(model):
    """The answer itself, after a look that the SDK knows all of it."""
    extra = set(model.model_extra or {})
    assert not extra, f"{type(model).__name__} does not know {extra}"
    missing = {name for name, field in type(model).model_fields.items() if name not in model.model_fields_set}
    assert not missing, f"{type(model).__name__} lacks {missing}"
    return model


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def main():
    sdk = client()
    built = known(sdk.agents.register_build(name="mailer", description="", registration_metadata={"a": {"b": 1}}))
    assert (built.name, built.status, built.acp_type) == ("mailer", "BuildOnly", "async"), built
    assert built.registration_metadata == {"a": {"b": 1}} and isinstance(built.created_at, datetime)
    again = sdk.agents.register_build(name="mailer", description="other")
    assert again == built, "a build of a name that is readable changes nothing"

    assert known(sdk.agents.retrieve(built.id)) == built
    assert known(sdk.agents.retrieve_by_name("mailer")) == built
    assert "'nobody' not found" in str(refused(agentex.NotFoundError, sdk.agents.retrieve, "nobody"))
    assert "Field required: description" in str(
        refused(agentex.UnprocessableEntityError, sdk.post, "/agents/register-build", cast_to=object, body={"name": "x"})
    )

    for name in ("a1", "a2", "a3", "a4"):
        sdk.agents.register_build(name=name, description=name, registration_metadata={"agent_card": {"metadata": {"n": name}}})
    pages = [sdk.agents.list(limit=2, page_number=page, order_by="name", order_direction="ASC") for page in (1, 2, 3, 4)]
    assert [[known(agent).name for agent in page] for page in pages] == [["a1", "a2"], ["a3", "a4"], ["mailer"], []]
    assert [agent.name for agent in sdk.agents.list(order_by="name", order_direction="desc")] == ["mailer", "a4", "a3", "a2", "a1"]
    newest = [agent.name for agent in sdk.agents.list()]
    oldest = [agent.name for agent in sdk.agents.list(order_direction="asc")]
    assert newest == oldest[::-1], (newest, oldest)
    assert [agent.name for agent in sdk.agents.list(agent_card_metadata='{"n": "a2"}')] == ["a2"]
    assert sdk.agents.list(task_id="t") == []
    refused(agentex.UnprocessableEntityError, sdk.agents.list, limit=0)
    refused(agentex.UnprocessableEntityError, sdk.agents.list, order_by="secret_hash")

    made = known(sdk.agents.deployments.create(built.id, docker_image="mailer:2", registration_metadata={"v": 2}))
    assert (made.status, made.is_production, made.acp_url) == ("Pending", False, None), made
    refused(agentex.BadRequestError, sdk.agents.deployments.promote, made.id, agent_id=built.id)
    body = {
        "name": "mailer",
        "description": "Sends mail",
        "acp_url": "http://localhost:8000",
        "acp_type": "agentic",
        "registration_metadata": {"deployment_id": made.id, "agent_commit": "c0ffee", "branch_name": "main"},
        "principal_context": {"user": "nobody"},
    }
    registered = sdk.post("/agents/register", cast_to=object, body=body)
    assert registered["agent_api_key"].startswith("taos_key_") and registered["status"] == "BuildOnly", registered
    assert sdk.post("/agents/register", cast_to=object, body=body)["agent_api_key"] is None
    promoted = known(sdk.agents.deployments.promote(made.id, agent_id=built.id))
    assert promoted.is_production and promoted.acp_url == "http://localhost:8000", promoted
    live = known(sdk.agents.retrieve(built.id))
    assert (live.status, live.status_reason, live.production_deployment_id) == ("Ready", "promoted", made.id), live
    assert known(sdk.agents.deployments.retrieve(made.id, agent_id=built.id)).to_dict() == promoted.to_dict()
    assert [known(one).id for one in sdk.agents.deployments.list(built.id, order_by="created_at")] == [made.id]
    refused(agentex.BadRequestError, sdk.agents.deployments.delete, made.id, agent_id=built.id)
    items = sdk.deployment_history.list(agent_name="mailer")
    assert [known(item).commit_hash for item in items] == ["c0ffee"]
    assert known(sdk.deployment_history.retrieve(items[0].id)).to_dict() == items[0].to_dict()

    spare = sdk.agents.deployments.create(built.id, docker_image="mailer:3")
    gone = known(sdk.agents.deployments.delete(spare.id, agent_id=built.id))
    assert gone.id == spare.id
    refused(agentex.NotFoundError, sdk.agents.deployments.retrieve, spare.id, agent_id=built.id)

    # What is left out says so once: the SDK does not try again.
    tried = []
    patient = client(http_client=agentex.DefaultHttpxClient(event_hooks={"request": [tried.append]})).with_options(max_retries=2)
    refused(agentex.InternalServerError, patient.agents.rpc, built.id, method="message/send", params={"content": None})
    assert len(tried) == 1, f"a 501 was asked for {len(tried)} times"

    assert known(sdk.agents.delete_by_name("a1")).message == "Agent 'a1' deleted successfully"
    assert known(sdk.agents.delete(built.id)).id == built.id
    refused(agentex.NotFoundError, sdk.agents.retrieve, built.id)
    refused(agentex.NotFoundError, sdk.agents.delete, built.id)
    fresh = known(sdk.agents.register_build(name="mailer", description="new"))
    assert fresh.id != built.id and fresh.status == "BuildOnly" and fresh.production_deployment_id is None
    refused(agentex.AuthenticationError, client().with_options(api_key="taos_user_" + "A" * 43).agents.list)
    print(f"agentex-client {agentex.__version__}: builds, lists, deployments, promotion, history and deletion work")


main()
