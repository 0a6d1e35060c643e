//! `gatehouse devices`, `gatehouse pair` and `gatehouse users`.

use clap::{Args, Subcommand, ValueEnum};

/// `devices`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse devices                       those that wait, and those that are paired
  gatehouse devices approve               the one that waits
  gatehouse devices approve 3f2a          one of several, by the beginning of its request or device
  gatehouse devices rename e4bd 'Anna''s phone'
  gatehouse devices revoke e4bd           its token; it comes back with the gateway token
  gatehouse devices remove e4bd           the device: it has to be approved again")]
pub(crate) struct Devices {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<DevicesVerb>,
}

/// `devices ...`
#[derive(Debug, Subcommand)]
pub(crate) enum DevicesVerb {
    /// Devices that wait for approval, and those that are paired
    #[command(visible_alias = "ls")]
    List,
    /// Let a device in, with the role and the scopes that it asks for
    Approve {
        /// The request or its device, by its beginning; may be left out when one waits
        request: Option<String>,
    },
    /// Refuse a device; it may ask again
    Reject {
        /// The request or its device, by its beginning; may be left out when one waits
        request: Option<String>,
    },
    /// Revoke a device's token and close its connections; it stays paired
    Revoke {
        /// The device, by its beginning or its name
        device: String,
        /// Only in this role [default: each of its roles]
        #[arg(long)]
        role: Option<String>,
    },
    /// Forget a device: its tokens are revoked and it has to be approved again
    #[command(visible_alias = "rm")]
    Remove {
        /// The device, by its beginning or its name
        device: String,
    },
    /// Give a device a name for people
    Rename {
        /// The device, by its beginning or its name
        device: String,
        /// Its name from now on
        name: String,
    },
}

/// `pair`
#[derive(Debug, Args)]
pub(crate) struct Pair {
    /// Where the device reaches the gateway [default: gateway.publicOrigin, else the address that this command uses]
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// What the device may do
    #[arg(long = "as", value_enum, default_value_t = PairAs::Limited)]
    pub(crate) access: PairAs,
    /// Print the code alone, without its picture
    #[arg(long)]
    pub(crate) no_qr: bool,
}

/// What a device may do that is paired by a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PairAs {
    /// Read and write: a phone to chat with
    Limited,
    /// Everything that you may
    Full,
    /// A node: it is asked to do things, and asks for none
    Node,
}

impl PairAs {
    /// The word of the method.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Full => "full",
            Self::Node => "node",
        }
    }
}

/// `users`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse users                         everybody, with the tokens that they have
  gatehouse users add ann --name Ann --scope operator.read --scope operator.write
  gatehouse users token ann --label wall --scope operator.read      a page on a wall that only shows
  gatehouse users revoke 6f0c...          one token, by its id
  gatehouse users remove ann

A token is shown once. What a user does carries who did it.")]
pub(crate) struct Users {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<UsersVerb>,
}

/// `users ...`
#[derive(Debug, Subcommand)]
pub(crate) enum UsersVerb {
    /// Everybody who has credentials
    #[command(visible_alias = "ls")]
    List,
    /// Add a user, and print a first token
    Add {
        /// Lower-case letters, digits and dashes
        user: String,
        /// What the user is called
        #[arg(long)]
        name: Option<String>,
        /// What the token is good for; may be given several times
        #[arg(long, default_values_t = ["operator.read".to_owned(), "operator.write".to_owned()])]
        scope: Vec<String>,
        /// It is the same person as a removed user of this id, and gets that user's sessions
        #[arg(long)]
        again: bool,
    },
    /// Remove a user with all tokens and devices
    #[command(visible_alias = "rm")]
    Remove {
        /// The user
        user: String,
    },
    /// Print another token for a user
    Token {
        /// The user
        user: String,
        /// What it is for
        #[arg(long)]
        label: Option<String>,
        /// What the token is good for; may be given several times
        #[arg(long, required = true)]
        scope: Vec<String>,
    },
    /// Revoke one token
    Revoke {
        /// The id of the token, as `gatehouse users` shows it
        token_id: String,
    },
}
