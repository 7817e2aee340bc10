//! The program `db4sci`. Its commands are in [`mydb::cli`].

fn main() -> std::process::ExitCode {
    mydb::cli::main()
}
