//! The agent's parts against real sockets: a scripted engine behind it, a scripted Hub before it.

#![cfg(test)]

mod credentials;
mod engine;
mod leaving;
mod local;
mod relay;
mod session;
mod settings;
mod support;
mod turns;
#[cfg(target_os = "linux")] // It looks for the tool in /proc.
mod wire;
mod yielding;
