//! Direct versus through the tunnel, in one run.

fn main() {}
