//! Random requests and the answers that an engine gives them, to be asked directly and through the whole house.

pub mod canonical;
pub mod case;
pub mod engine;

pub use canonical::{Canonical, read};
pub use case::{Case, Ending};
pub use engine::CaseEngine;
