//! Who may come in at the edge: the table of credentials that goes to it with every revision. The gateway token is its first
//! row; the others are kept in a file beside the configuration, as digests, so that neither the file nor the table is worth
//! stealing. A row that is taken out of the file is revoked at once.

use std::collections::HashSet;

use gatehouse_core::{Secret, hex};
use gatehouse_document::gateway::OperatorScope;
use gatehouse_proto::config::v1::Credential;
use serde::Deserialize;

/// The name of the gateway token in the table.
pub(crate) const SHARED: &str = "shared";

/// How the names of plugins' credentials begin in the table. The rest is the plugin's id.
pub(crate) const PLUGIN: &str = gatehouse_core::plugin::CREDENTIAL;

/// Rows beside the gateway token: the edge takes some more.
const ROWS_MAX: usize = 5_000;

/// The longest name of a credential or a device, in bytes. It is written into logs.
const NAME_BYTES_MAX: usize = 128;

/// One row of the file. A key that is not known here may narrow what the row is good for: then the row is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Row {
    id: String,
    /// Lower-case hex SHA-256 of what a caller shows.
    digest: String,
    #[serde(default)]
    role: Role,
    #[serde(default)]
    scopes: Vec<OperatorScope>,
    device_id: Option<String>,
    expire_time_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Role {
    #[default]
    Operator,
    Node,
}

/// Reads the file: a JSON array of rows.
///
/// # Errors
/// The first thing that is wrong. Nothing of a file with a mistake is taken: a row may be there to narrow another.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>, String> {
    let rows: Vec<Row> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if rows.len() > ROWS_MAX {
        return Err(format!("more than {ROWS_MAX} credentials"));
    }
    let (mut ids, mut digests) = (HashSet::from([SHARED]), HashSet::new());
    for (index, row) in rows.iter().enumerate() {
        let wrong = |what: &str| Err(format!("[{index}]: {what}"));
        let is_name =
            |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
        if !is_name(&row.id) || row.device_id.as_deref().is_some_and(|device| !is_name(device)) {
            return wrong("id and deviceId need 1 to 128 bytes without control characters");
        }
        if !ids.insert(&row.id) || row.id.starts_with(PLUGIN) {
            return wrong("id is in use");
        }
        if row.digest.len() != 64 || !row.digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return wrong("digest must be a SHA-256 in lower-case hex");
        }
        if !digests.insert(&row.digest) {
            return wrong("digest is in use");
        }
    }
    Ok(rows)
}

/// The table: the gateway token with its scopes, then the rows of the file.
pub(crate) fn table(token: &Secret, scopes: Option<&[OperatorScope]>, rows: &[Row]) -> Vec<Credential> {
    let words = |scopes: &[OperatorScope]| scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let shared = Credential {
        id: SHARED.to_owned(),
        digest: hex::encode(&token.digest()),
        role: "operator".to_owned(),
        scopes: words(scopes.unwrap_or(&OperatorScope::ALL)),
        device_id: None,
        expire_time_ms: None,
        ..Credential::default()
    };
    let others = rows.iter().map(|row| Credential {
        id: row.id.clone(),
        digest: row.digest.clone(),
        role: match row.role {
            Role::Operator => "operator".to_owned(),
            Role::Node => "node".to_owned(),
        },
        scopes: words(&row.scopes),
        device_id: row.device_id.clone(),
        expire_time_ms: row.expire_time_ms,
        ..Credential::default()
    });
    std::iter::once(shared).chain(others).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row() -> Value {
        json!({"id": "phone-1", "digest": "0f".repeat(32), "scopes": ["operator.read"],
            "deviceId": "phone", "expireTimeMs": 1_000})
    }

    fn with(key: &str, value: Value) -> Value {
        let mut row = row();
        row[key] = value;
        row
    }

    fn refused(rows: &[Value]) -> String {
        parse(&json!(rows).to_string()).unwrap_err()
    }

    #[test]
    fn the_gateway_token_is_one_row_of_the_table() {
        let token = Secret::new("the token");
        let rows = parse(&json!([row()]).to_string()).unwrap();

        let table = super::table(&token, Some(&[OperatorScope::Read]), &rows);

        assert_eq!(
            (&*table[0].id, &table[0].digest),
            (SHARED, &hex::encode(&token.digest()))
        );
        assert_eq!(table[0].scopes, ["operator.read"]);
        assert_eq!((&*table[1].id, &*table[1].role), ("phone-1", "operator"));
        assert_eq!(
            (table[1].device_id.as_deref(), table[1].expire_time_ms),
            (Some("phone"), Some(1_000))
        );
        assert_eq!(
            super::table(&token, None, &[])[0].scopes.len(),
            OperatorScope::ALL.len()
        );
    }

    #[test]
    fn a_row_without_scopes_is_good_for_none() {
        let rows = parse(&json!([{"id": "a", "digest": "0f".repeat(32)}]).to_string()).unwrap();

        assert_eq!(
            super::table(&Secret::new("t"), None, &rows)[1].scopes,
            [] as [&str; 0]
        );
    }

    #[test]
    fn nothing_of_a_file_with_a_mistake_is_taken() {
        for bad in [
            with("digest", json!("0f")),
            with("digest", json!("0F".repeat(32))),
            with("digest", json!("zz".repeat(32))),
            with("id", json!("")),
            with("id", json!("a\nb")),
            with("id", json!(SHARED)),
            with("id", json!("plugin/kitchen")),
            with("deviceId", json!("")),
            with("role", json!("emperor")),
            with("scopes", json!(["operator.everything"])),
            with("onlyOnSundays", json!(true)),
        ] {
            refused(&[json!({"id": "good", "digest": "1f".repeat(32)}), bad]);
        }
        assert_eq!(refused(&[row(), with("id", json!("b"))]), "[1]: digest is in use");
        assert_eq!(
            refused(&[row(), with("digest", json!("1f".repeat(32)))]),
            "[1]: id is in use"
        );
        parse("[").unwrap_err();
    }
}
