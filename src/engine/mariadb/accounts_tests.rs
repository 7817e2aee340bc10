use super::*;

fn plain(statement: &str) -> String {
    // The statement that the server would assemble, with the hexadecimal decoded.
    let Rewritten::Statement(text) = becomes(statement.as_bytes(), "root").unwrap() else { panic!("{statement}") };
    let inside = text.strip_prefix("EXECUTE IMMEDIATE CONCAT(").unwrap().strip_suffix(");\n").unwrap();
    let mut said = String::new();
    for part in inside.split(", ").filter(|p| p.contains("X'") || p.starts_with('\'')) {
        if let Some(at) = part.find("X'") {
            let digits: String = part[at + 2..].chars().take_while(char::is_ascii_hexdigit).collect();
            said.extend(["<", &String::from_utf8(hex::decode(digits).unwrap()).unwrap(), ">"]);
        } else if part != "'`'" && part != "'``')" && part != "'``'" && part != "'`')" {
            said.push_str(&part.trim_matches('\'').replace("''", "'"));
        }
    }
    said
}

#[test]
fn account_statements_of_servers_are_parsed() {
    for (from, to) in [
        ("DROP USER IF EXISTS 'o\\'hara'@'%'", "DROP USER IF EXISTS <o'hara>@<%>"),
        (
            "CREATE USER `o'hara`@`%` IDENTIFIED BY PASSWORD '*D9F0'",
            "CREATE USER <o'hara>@<%> IDENTIFIED BY PASSWORD <*D9F0>",
        ),
        (
            "CREATE USER `a`@`%` IDENTIFIED VIA ed25519 USING 'x' OR mysql_native_password USING 'y' REQUIRE SSL WITH MAX_STATEMENT_TIME 1.5 ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 90 DAY",
            "CREATE USER <a>@<%> IDENTIFIED VIA ed25519 USING <x> OR mysql_native_password USING <y> REQUIRE SSL WITH MAX_STATEMENT_TIME 1.5 ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 90 DAY",
        ),
        ("CREATE ROLE `readers`", "CREATE ROLE <readers>"),
        ("SET DEFAULT ROLE `readers` FOR `a`@`%`", "SET DEFAULT ROLE <readers> FOR <a>@<%>"),
        ("GRANT `readers` TO `a`@`%` WITH ADMIN OPTION", "GRANT <readers> TO <a>@<%> WITH ADMIN OPTION"),
        ("GRANT USAGE ON *.* TO `ada`@`%` IDENTIFIED BY PASSWORD '*D9F0'", "GRANT USAGE ON *.* TO <ada>@<%>"),
        (
            "GRANT ALL PRIVILEGES ON `trial\\_%`.* TO `ada`@`%` WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON <trial\\_%>.* TO <ada>@<%> WITH GRANT OPTION",
        ),
        (
            "GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `trial`.`x\n``; DROP USER ``root` TO `ada`@`%`",
            "GRANT EXECUTEALTER ROUTINE ON FUNCTION <trial>.<x\n`; DROP USER `root> TO <ada>@<%>",
        ),
        ("GRANT USAGE ON *.* TO PUBLIC", "GRANT USAGE ON *.* TO PUBLIC"),
    ] {
        assert_eq!(plain(from), to, "{from}");
    }
    assert_eq!(becomes(b"SET SESSION sql_mode = ''", "root"), Ok(Rewritten::Nothing));
}

#[test]
fn columns_stay_with_their_privilege() {
    let Ok(Rewritten::Statement(text)) = becomes(b"GRANT SELECT (`id`, `a``b`), INSERT ON `t`.`p` TO `o`@`%`", "root")
    else {
        panic!("is given")
    };
    let parts = ["'SELECT', ' ('", "X'6964'", "', '", "X'616062'", "')'", "', ', 'INSERT'"];
    let mut at = 0;
    for part in parts {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part} in {text}")) + part.len();
    }
}

#[test]
fn nobody_becomes_administrator() {
    for (from, keeps) in [
        ("GRANT ALL PRIVILEGES ON *.* TO `ada`@`%` WITH GRANT OPTION", false),
        ("GRANT SELECT, SUPER ON *.* TO `ada`@`%`", true),
        ("GRANT CREATE USER ON *.* TO `ada`@`%`", false),
        ("GRANT FILE ON *.* TO `ada`@`%`", false),
        ("GRANT SET USER ON *.* TO `ada`@`%`", false),
        ("GRANT INSERT ON `mysql`.* TO `ada`@`%`", false),
        ("GRANT ALL PRIVILEGES ON `m%`.* TO `ada`@`%`", false),
        ("GRANT ALL PRIVILEGES ON `MYSQ_`.* TO `ada`@`%`", false),
        ("GRANT ALL PRIVILEGES ON `%`.* TO `ada`@`%`", false),
        ("GRANT UPDATE ON `mysql`.`global_priv` TO `ada`@`%`", false),
        ("GRANT USAGE ON *.* TO `ada`@`%` WITH GRANT OPTION", true),
        ("GRANT PROXY ON ''@'%' TO `ada`@`%` WITH GRANT OPTION", false),
    ] {
        let Ok(Rewritten::Withheld(statement, why)) = becomes(from.as_bytes(), "root") else { panic!("{from}") };
        assert_eq!(statement.is_some(), keeps, "{from}: {why}");
        let statement = statement.unwrap_or_default();
        for climbs in ["ALL PRIVILEGES", "SUPER", "OPTION", "CREATE USER"] {
            assert!(!statement.contains(climbs), "{from}: {statement}");
        }
    }
    for given in [
        "GRANT ALL PRIVILEGES ON `mysqlx`.* TO `a`@`%`",
        "GRANT SELECT ON *.* TO `a`@`%`",
        "GRANT ALL PRIVILEGES ON `my\\_sql`.* TO `a`@`%`",
    ] {
        assert!(matches!(becomes(given.as_bytes(), "root"), Ok(Rewritten::Statement(_))), "{given}");
    }
}

#[test]
fn statements_that_no_portal_writes_are_rejected() {
    for statement in [
        "ALTER USER `ada`@`%` IDENTIFIED BY 'x'",
        "UPDATE mysql.global_priv SET Priv = '{}'",
        "GRANT ALL PRIVILEGES ON `trial`.* TO `root`@`%`",
        "DROP USER IF EXISTS 'ROOT'@'localhost'",
        "CREATE USER `db4sci_observer`@`localhost` IDENTIFIED BY PASSWORD '*A'",
        "CREATE USER `ada`@`%` IDENTIFIED BY 'plain'",
        "CREATE USER `ada`@`%` IDENTIFIED BY PASSWORD '*A', `b`@`%`",
        "GRANT SELECT ON `a`.* TO `b`@`%`, `c`@`%`",
        "GRANT SELECT ON `a`.* TO `b`@`%` /*! WITH GRANT OPTION */",
        "SET SESSION sql_mode = '', @x = 1",
        "SET GLOBAL sql_mode = ''",
        "GRANT SUPER ON *.* TO CURRENT_USER",
        "GRANT `root` TO `ada`@`%`",
        "CREATE ROLE `a`, `b`",
        "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
        "",
        "`",
    ] {
        let said = becomes(statement.as_bytes(), "root");
        assert!(said.is_err(), "{statement}: {said:?}");
    }
}

#[test]
fn grant_patterns_match_as_in_the_server() {
    for (name, pattern, meant) in [
        ("mysql", "my%", true),
        ("mysql", "%sql", true),
        ("mysql", "m_sql", true),
        ("mysql", "MYSQL", true),
        ("mysql", "m\\_sql", false),
        ("my_sql", "my\\_sql", true),
        ("mysql", "my%s%l", true),
        ("mysql", "my%x%l", false),
        ("mysql", "", false),
        ("", "%", true),
        ("mysql", "%%%", true),
        ("mysql", "mysql_", false),
    ] {
        assert_eq!(like(name.as_bytes(), pattern.as_bytes()), meant, "{name} {pattern}");
    }
    // As long as a name may be, and made to be slow.
    let begin = std::time::Instant::now();
    assert!(!like("information_schema".as_bytes(), format!("{}x", "%a".repeat(31)).as_bytes()));
    assert!(!like("performance_schema".as_bytes(), format!("{}x", "%".repeat(63)).as_bytes()));
    assert!(begin.elapsed() < std::time::Duration::from_secs(1));
}
