//! Builds anew when a migration is added: the macro that embeds them only sees those that were there.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
