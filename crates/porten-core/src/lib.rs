//! Decides. The words everybody uses and the pure machines behind them: no clock, no chance, no network, no disk.

// The words that everybody uses.
pub mod activity;
pub mod api_error;
pub mod awake;
pub mod bridge;
pub mod command;
pub mod display_text;
pub mod ids;
pub mod ladder;
pub mod lasting;
pub mod machine_name;
pub mod notice;
pub mod remedy;
pub mod reply;
pub mod route;
pub mod secret;
pub mod snapshot;
pub mod surroundings;
pub mod time;
pub mod wire;

// What people set, and where the engine is.
pub mod config;
pub mod detect;
pub mod models_list;
pub mod nearest;

// The decisions and machines.
pub mod capacity;
pub mod catalog_pace;
pub mod desk;
pub mod engine;
pub mod exo;
pub mod fit;
pub mod fitting;
pub mod http1;
pub mod icon;
pub mod idle;
pub mod leaving;
pub mod limits;
pub mod lingering;
pub mod login_item;
pub mod memory;
pub mod models;
pub mod notify;
pub mod pause;
pub mod picture;
pub mod pool;
pub mod popover;
pub mod relay;
pub mod replay;
pub mod seat;
pub mod service;
pub mod signin;
pub mod tray;
pub mod tunnel;
