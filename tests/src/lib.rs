//! The test bed: real Hub and agent processes, a fake engine that misbehaves on demand, and a client that watches.
//!
//! Everything here talks over loopback sockets on free ports and lives in folders that are removed again. It panics
//! when the bed itself fails, with a sentence that says what to do.
#![expect(clippy::expect_used, clippy::panic, reason = "a test bed that does not stand is a failed test")]

pub mod agent;
pub mod client;
#[cfg(target_os = "linux")]
pub mod desktop;
pub mod detour;
pub mod differential;
pub mod engine;
pub mod faults;
pub mod forward_proxy;
pub mod frames;
pub mod fuzz;
pub mod home;
pub mod hostile_hub;
pub mod house;
pub mod hub;
pub mod inside;
#[cfg(target_os = "linux")]
pub mod logind;
#[cfg(target_os = "linux")]
pub mod lossy;
pub mod luck;
pub mod process;
pub mod schema;
pub mod scripted_house;
pub mod scripted_hub;
pub mod sim;
pub mod simulation;
pub mod tls_front;
pub mod transcript;
#[cfg(target_os = "linux")]
pub mod tunnels;
#[cfg(target_os = "linux")]
pub mod user_manager;
pub mod wait;

pub use agent::Agent;
pub use client::Client;
pub use detour::Detour;
pub use engine::Engine;
pub use forward_proxy::ForwardProxy;
pub use home::Home;
pub use house::House;
pub use hub::Hub;
pub use process::Process;
pub use scripted_house::ScriptedHouse;
pub use scripted_hub::ScriptedHub;
pub use sim::Sim;
pub use tls_front::TlsFront;
pub use wait::wait_until;
