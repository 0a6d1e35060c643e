//! Questions to a person on a terminal: a list with numbers, a line, a line that is not shown. They work on every terminal, over SSH
//! and with a screen reader. Questions go to the error output, so that the answers of the command stay alone on the other one.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    os::fd::AsFd,
};

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr};

use crate::{
    exit::{Exit, Failed},
    output,
    term::printable,
};

/// What Ctrl-C is on a terminal that does not make a signal of it.
const CTRL_C: u8 = 3;

/// How often a question is asked that gets no answer.
const TIMES_MAX: usize = 5;

/// More than that nobody reads; names can be typed.
const SHOWN_MAX: usize = 30;

/// Whether somebody is there to be asked.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// One of a list: its number, counted from 0. An empty answer is `usual`. `other`: an answer that is no number is taken as it is.
pub(crate) fn choose(question: &str, list: &[String], usual: usize) -> Result<usize, Failed> {
    match pick(question, list, usual, false)? {
        Picked::Listed(index) => Ok(index),
        Picked::Other(_) => Ok(usual),
    }
}

/// What was answered to a list.
pub(crate) enum Picked {
    Listed(usize),
    Other(String),
}

/// One of a list, or another name.
pub(crate) fn pick(question: &str, list: &[String], usual: usize, others: bool) -> Result<Picked, Failed> {
    output::remark(question);
    for (index, line) in list.iter().enumerate().take(SHOWN_MAX) {
        output::remark(&format!(
            "  {:2}  {}",
            index + 1,
            printable(line).replace('\n', " ")
        ));
    }
    if list.len() > SHOWN_MAX {
        output::remark(&format!("      and {} more: type a name", list.len() - SHOWN_MAX));
    }
    for _ in 0..TIMES_MAX {
        let answer = line("", &(usual + 1).to_string())?;
        match answer.parse::<usize>() {
            Ok(number) if (1..=list.len()).contains(&number) => return Ok(Picked::Listed(number - 1)),
            Ok(_) => output::remark(&format!("a number from 1 to {}", list.len())),
            Err(_) => match list.iter().position(|line| *line == answer) {
                Some(index) => return Ok(Picked::Listed(index)),
                None if others => return Ok(Picked::Other(answer)),
                None => output::remark("the number of a line"),
            },
        }
    }
    Err(Failed::new(Exit::Usage, "no answer that could be used"))
}

/// Yes or no.
pub(crate) fn agree(question: &str, usual: bool) -> Result<bool, Failed> {
    for _ in 0..TIMES_MAX {
        let answer = line(question, if usual { "Y/n" } else { "y/N" })?;
        match answer.to_lowercase().as_str() {
            "y/n" => return Ok(usual),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => output::remark("y or n"),
        }
    }
    Err(Failed::new(Exit::Usage, "no answer that could be used"))
}

/// A line; an empty one is `usual`.
pub(crate) fn line(question: &str, usual: &str) -> Result<String, Failed> {
    let before = if question.is_empty() {
        String::new()
    } else {
        format!("{question} ")
    };
    let hint = if usual.is_empty() {
        String::new()
    } else {
        format!("[{usual}] ")
    };
    output::prompt(&format!("{before}{hint}> "));
    let answer = read()?;
    Ok(if answer.is_empty() {
        usual.to_owned()
    } else {
        answer
    })
}

/// A line that is not shown while it is typed.
pub(crate) fn secret(question: &str) -> Result<String, Failed> {
    output::prompt(&format!("{question} (not shown) > "));
    let hidden = Hidden::now();
    let answer = read_hidden();
    drop(hidden);
    answer
}

/// A line up to its end, or to Ctrl-C.
fn read_hidden() -> Result<String, Failed> {
    let (mut line, mut chunk) = (Vec::new(), [0; 1024]);
    let mut input = io::stdin().lock();
    while line.last() != Some(&b'\n') {
        let read = input.read(&mut chunk);
        let read =
            read.map_err(|error| Failed::new(Exit::Failed, format!("cannot read the answer: {error}")))?;
        line.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if read == 0 || line.contains(&CTRL_C) {
            return Err(Failed::new(Exit::Interrupted, "stopped: nothing was changed"));
        }
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

fn read() -> Result<String, Failed> {
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(0) => Err(Failed::new(Exit::Interrupted, "stopped: nothing was changed")),
        Ok(_) => Ok(answer.trim().to_owned()),
        Err(error) => Err(Failed::new(
            Exit::Failed,
            format!("cannot read the answer: {error}"),
        )),
    }
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Hidden(Option<nix::sys::termios::Termios>);

impl Hidden {
    fn now() -> Self {
        let input = io::stdin();
        let Ok(before) = tcgetattr(input.as_fd()) else {
            return Self(None);
        };
        let mut without = before.clone();
        // Ctrl-C would end us before the terminal is as it was: it ends the line instead.
        without.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        without.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
        without.local_flags.insert(LocalFlags::ECHONL);
        match tcsetattr(input.as_fd(), SetArg::TCSAFLUSH, &without) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSAFLUSH, before); // the terminal is gone
        }
    }
}
