//! Maps of the contracts that tests write.

use gatehouse_test_contract::{EVERYTHING, descriptors};

use crate::{ContractError, Map};

pub(crate) fn map(body: &str) -> Map {
    try_map(body).expect("the test's contract is sound")
}

pub(crate) fn try_map(body: &str) -> Result<Map, ContractError> {
    Map::from_descriptors(&descriptors(body))
}

/// A contract that uses everything there is.
pub(crate) fn everything() -> Map {
    map(EVERYTHING)
}
