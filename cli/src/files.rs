//! How many files and sockets this process may have open. Each connection of a client is one, and a process that has none left cannot
//! say so: it accepts nobody, starts nothing and opens no database.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::exit::{Exit, Failed};

/// What a gateway needs: six children with three pipes each, databases with their readers, connections between all processes, and
/// some dozens of clients.
const FILES_MIN: u64 = 256;

/// What is taken when the system lets us: the edge's 20,000 sockets and each one's call, with room to spare.
const FILES_WANTED: u64 = 65_536;

/// Raises the limit as far as the system lets us. Children inherit it.
///
/// # Errors
/// When it stays too low to run anything.
pub(crate) fn raise_limit() -> Result<(), Failed> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = FILES_WANTED.min(limit.maximum.unwrap_or(u64::MAX));
    let raised = current < wanted
        && setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            },
        )
        .is_ok();
    enough(if raised { wanted } else { current })
}

fn enough(limit: u64) -> Result<(), Failed> {
    if limit >= FILES_MIN {
        return Ok(());
    }
    Err(Failed::new(
        Exit::Configuration,
        format!("this process may open {limit} files and sockets at once, and needs {FILES_MIN} at least"),
    )
    .next("raise the limit: `ulimit -n 1024` in a shell, LimitNOFILE=1024 in a systemd unit, `ulimits: {nofile: 1024}` in compose"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_refused_with_the_number_that_is_needed() {
        let refused = enough(24).expect_err("24 are too few").to_string();

        assert!(
            refused.contains("may open 24") && refused.contains("needs 256"),
            "{refused}"
        );
        assert!(refused.contains("ulimit -n"), "{refused}");
        enough(FILES_MIN).unwrap();
    }
}
