//! exo's cluster through a real agent and a real Hub. One program, so that all of it waits at the same time.

mod cost;
mod lingering;
mod models;
mod troubles;
