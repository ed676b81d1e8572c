//! `relay::may_bypass`, by the table that its mirror in JavaScript is held to as well.

use serde::Deserialize;
use turnout::relay::may_bypass;

#[derive(Deserialize)]
struct Table {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    chunk: String,
    may: bool,
}

#[test]
fn the_table_holds_here() {
    let table: Table = serde_json::from_str(include_str!("../fixtures/bypass.json")).unwrap();
    assert!(table.cases.len() > 20);
    for Case { chunk, may } in table.cases {
        assert_eq!(may_bypass(chunk.as_bytes()), may, "{chunk:?}");
    }
}
