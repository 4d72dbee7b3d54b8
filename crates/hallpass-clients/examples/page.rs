//! Prints `docs/clients.md`. `cargo xtask docs` runs it.

fn main() {
    print!("{}", hallpass_clients::clients_page());
}
