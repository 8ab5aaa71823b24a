//! What the agent asks of the machine that it runs on: to stay awake, and whether somebody uses it. A real agent, and a stand-in for
//! logind on a bus of its own.
#![cfg(target_os = "linux")] // logind
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

mod awake;
mod in_use;
