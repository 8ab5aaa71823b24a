//! The documents that are asked for: exact paths, how often, and how large they may be.

use std::time::Duration;

/// One of exo's documents. There is none for `/state/tasks`: it holds people's prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// Which node answers.
    NodeId,
    /// When each node was last heard of: the heartbeat.
    LastSeen,
    /// Which models are placed where.
    Instances,
    /// What each placed part does.
    Runners,
    /// Which nodes there are, and their links.
    Topology,
    /// Names, chips, versions.
    Identities,
    /// Installed and free memory.
    Memory,
    /// How busy and warm the nodes are.
    System,
    /// Their network interfaces.
    Network,
    /// Their Thunderbolt ports.
    Thunderbolt,
    /// Whether RDMA is turned on.
    Rdma,
    /// Which Thunderbolt bridges form a loop.
    BridgeLoops,
    /// Room on the disks that hold the models.
    Disk,
    /// What is being downloaded. One entry per node and known model: 100 kB a node, so only while something loads.
    Downloads,
}

impl Document {
    /// All of them, the telling ones first.
    pub const ALL: [Self; 14] = [
        Self::NodeId,
        Self::LastSeen,
        Self::Instances,
        Self::Topology,
        Self::Runners,
        Self::Identities,
        Self::Memory,
        Self::Network,
        Self::Thunderbolt,
        Self::Rdma,
        Self::BridgeLoops,
        Self::Disk,
        Self::System,
        Self::Downloads,
    ];

    /// Where it is.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::NodeId => crate::detect::NODE_ID,
            Self::LastSeen => "/state/lastSeen",
            Self::Instances => "/state/instances",
            Self::Runners => "/state/runners",
            Self::Topology => "/state/topology",
            Self::Identities => "/state/nodeIdentities",
            Self::Memory => "/state/nodeMemory",
            Self::System => "/state/nodeSystem",
            Self::Network => "/state/nodeNetwork",
            Self::Thunderbolt => "/state/nodeThunderbolt",
            Self::Rdma => "/state/nodeRdmaCtl",
            Self::BridgeLoops => "/state/thunderboltBridgeCycles",
            Self::Disk => "/state/nodeDisk",
            Self::Downloads => "/state/downloads",
        }
    }

    /// The largest that is read (bytes): several times what six nodes fill (measured: 134 kB of downloads a node).
    #[must_use]
    pub const fn limit(self) -> usize {
        match self {
            Self::Downloads => 4 * 1024 * 1024,
            _ => 1024 * 1024,
        }
    }

    /// How old it may become while nobody looks and nothing runs; `None`: it is not asked for then.
    ///
    /// The heartbeat's age is what a death may take to be noticed: a second look after it is the proof (`telling`).
    pub(super) const fn calm(self) -> Option<Duration> {
        match self {
            Self::LastSeen => Some(Duration::from_secs(11)),
            Self::Instances | Self::Runners => Some(Duration::from_secs(40)),
            Self::Topology => Some(Duration::from_secs(60)),
            Self::Memory => Some(Duration::from_secs(120)),
            Self::NodeId
            | Self::Identities
            | Self::Network
            | Self::Thunderbolt
            | Self::Rdma
            | Self::BridgeLoops
            | Self::Disk => Some(Duration::from_secs(600)),
            Self::System | Self::Downloads => None,
        }
    }

    /// How old it may become while somebody looks, or requests run.
    pub(super) const fn lively(self) -> Option<Duration> {
        match self {
            Self::LastSeen => Some(Duration::from_secs(3)),
            Self::Instances | Self::Runners => Some(Duration::from_secs(6)),
            Self::Memory | Self::System => Some(Duration::from_secs(10)),
            Self::Topology => Some(Duration::from_secs(15)),
            // exo itself looks once a minute.
            Self::Identities => Some(Duration::from_secs(60)),
            Self::Network | Self::Thunderbolt | Self::Rdma | Self::BridgeLoops => Some(Duration::from_secs(120)),
            _ => self.calm(),
        }
    }

    /// How old it may become while a model loads.
    pub(super) const fn loading(self) -> Option<Duration> {
        match self {
            Self::Instances | Self::Runners | Self::Downloads => Some(Duration::from_secs(4)),
            Self::LastSeen => Some(Duration::from_secs(4)),
            Self::Disk => Some(Duration::from_secs(60)),
            _ => self.lively(),
        }
    }
}
