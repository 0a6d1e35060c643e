//! What the tests of every platform open an account with.

use std::sync::Arc;

use gatehouse_core::Clock;

use super::{Memory, key};
use crate::{account::AccountState, media::MediaReader, platform::Deps, store::Stores};

/// Account `a`, whose files are those of this session service.
pub(crate) fn deps(stores: &Stores, clock: Clock, files: &Arc<Memory>) -> Deps {
    Deps {
        account: key("a"),
        clock,
        state: AccountState::new(key("a"), stores.accounts.clone()),
        media: MediaReader::new(files.clone()),
    }
}
