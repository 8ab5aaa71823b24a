//! Decides. The words everybody uses and the pure machines behind them: no clock, no chance, no network, no disk.

pub mod api_error;
pub mod relay;
pub mod route;
pub mod time;
pub mod tunnel;
pub mod wire;
pub mod ids;
pub mod nearest;
pub mod config;
pub mod reply;
pub mod secret;
pub mod seat;
pub mod command;
pub mod engine;
pub mod ladder;
pub mod memory;
pub mod models;
pub mod notice;
pub mod picture;
pub mod snapshot;
pub mod signin;
pub mod detect;
pub mod models_list;
