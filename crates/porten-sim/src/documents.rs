//! exo's documents as it spells them: keys, tags and nulls are those of the recorded answers.

pub(crate) mod card;
pub(crate) mod chat;
pub(crate) mod download;
pub(crate) mod instance;
pub(crate) mod member;
pub(crate) mod runner;
pub(crate) mod spelling;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod task;
