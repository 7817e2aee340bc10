//! The program `db4sci`. What it can do is in [`mydb::cli`].

fn main() -> std::process::ExitCode {
    mydb::cli::main()
}
