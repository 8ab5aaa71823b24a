//! Text: what was asked, and what is said to it.

pub(crate) mod answer;
pub(crate) mod ask;
