//! An exo cluster made of software.

fn main() {}
