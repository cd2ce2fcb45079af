//! The closed sets of words in an agent's row.

use crate::closed_set::closed_set;

closed_set! {
    /// The status of an agent.
    pub enum AgentStatus {
        Registered "registered" "It has no container.";
        Deploying "deploying" "Its container is being made.";
        Running "running" "Its container runs, paused or not.";
        Stopped "stopped" "Its container is stopped.";
        Failed "failed" "Its deployment failed, or its container is broken.";
    }
}

closed_set! {
    /// The origin of an agent: how it came into the registry.
    pub enum AgentOrigin {
        SpaceAgent "space_agent" "A person made it.";
        Cloud "cloud" "It runs elsewhere.";
        ExternalGateway "external_gateway" "It comes through a gateway.";
        Agentcore "agentcore" "An agent made it.";
        Mcp "mcp" "An aX client made it.";
    }
}

closed_set! {
    /// The outcome of the last delivery of an agent's token.
    pub enum TokenDelivery {
        Delivered "delivered" "The container has it.";
        PendingRestart "pending_restart" "The container has it; its processes see it after a restart.";
        NotInjected "not_injected" "It was issued by hand: whoever asked for it has it.";
        Failed "failed" "The container did not get it.";
    }
}

closed_set! {
    /// How news wakes an agent that sleeps, and how it is put to sleep.
    pub enum Wake {
        None "none" "Nothing wakes it. Put to sleep, its container is stopped.";
        Start "start" "Its container is started. Put to sleep, it is stopped.";
        Resume "resume" "Its container goes on. Put to sleep, it is frozen.";
    }
}

closed_set! {
    /// What to do when an agent's worker fails.
    pub enum OnWorkerFailure {
        Pause "pause" "Pause the agent.";
        Fallback "fallback" "Use the next model.";
        EscalateImmediately "escalate-immediately" "Tell a person at once.";
    }
}

closed_set! {
    /// The memory plugin of an agent.
    pub enum MemoryPlugin {
        Taosmd "taosmd" "The box.";
        None "none" "Nothing.";
    }
}
