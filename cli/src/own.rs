//! The gateway of the home that a command means: asked, and what is said where none runs.

use std::{io, time::Duration};

use crate::{
    args::Common,
    control::{self, Ask, Asked},
    exit::{Exit, Failed},
    home,
};

/// Asks the gateway of the home that is meant; one that does not run is said with what to do.
pub(crate) fn ask(common: &Common, what: &Ask, deadline: Option<Duration>) -> Result<Asked, Failed> {
    let asked = control::ask(&common.run_dir(), what, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => not_running(common),
        _ => Failed::new(
            Exit::Unavailable,
            format!(
                "the gateway of {} does not answer: {error}",
                common.home.display()
            ),
        )
        .next("`ps -C gatehouse` shows its processes; `gatehouse doctor` looks at everything else"),
    })?;
    match asked.answer.error {
        Some(why) => Err(Failed::new(Exit::Failed, why)),
        None => Ok(asked),
    }
}

/// No gateway runs in the home that is meant.
pub(crate) fn not_running(common: &Common) -> Failed {
    Failed::new(
        Exit::Unavailable,
        format!("no gateway runs in {} ({})", common.home.display(), common.found),
    )
    .next(start_step(common))
}

/// How to start the gateway that was meant, without making another one.
pub(crate) fn start_step(common: &Common) -> String {
    let home = common.home.display();
    // Where one has run already, that one is meant.
    let is_meant = common.found == home::Found::Named || home::is_home(&common.home);
    let other = home::other_than(&common.home).filter(|_| !is_meant);
    match other {
        Some(other) => format!(
            "your gateway has its home in {}: start it with `gatehouse up -d --home {}`",
            other.display(),
            other.display()
        ),
        None if common.found == home::Found::Named => {
            format!("start it with `gatehouse up -d --home {home}`")
        }
        None => "start it with `gatehouse up -d`, or name its home with --home".to_owned(),
    }
}
