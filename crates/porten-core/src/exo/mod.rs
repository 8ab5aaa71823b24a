//! What exo tells about its cluster, read leniently: an unknown word is unknown, and never spoils a document.
//!
//! exo answers documents of its state under `/state/<path>`, and pushes nothing. Its whole `/state` is never asked for:
//! that holds the prompts of running requests. The shapes are those of exo 0.3.70 (measured).

mod answer;
mod document;
mod heartbeat;
mod instance;
mod links;
mod members;
mod past;
mod preview;
#[cfg(test)]
mod recorded;
mod rhythm;
mod stall;
mod telling;
mod words;

pub use answer::Answer;
pub use document::Document;
pub use instance::{Instance, InstanceId, Part, PartState, Phase, Sharding};
pub use members::{Cluster, Member, NodeId, THUNDERBOLT_5};
pub use past::Absent;
pub use preview::{How, INSTANCE, PREVIEWS, Preview, PreviewError, rank, read_previews};
pub use rhythm::{Pace, Rhythm};
pub use stall::{Stall, StalledAt};
pub use telling::{Input, Telling, Told};
