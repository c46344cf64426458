internal import API
internal import ArgumentParser

/// The command.
struct Pawl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pawl",
    abstract: "Hand model weights to teammates, peer to peer.",
    discussion: """
      Start a node with `pawl up`, then, in another terminal:
        pawl invite laptop                      make a ticket for a teammate
        pawl join -                             (the teammate) pastes it
        pawl share ./my-lora --to laptop        publish a file or folder
        pawl pull studio/my-lora -o ./models    (the teammate) fetches it

      PAWL_HOME says which node is meant, if there are several. \
      The help of a verb names the environment variable of an option in brackets.
      """,
    version: Version.program,
    subcommands: [
      Up.self, Status.self, Identify.self, Invite.self, Join.self, Tickets.self, Peers.self, PeerCommand.self, Verify.self,
      Revoke.self, Share.self, Unshare.self, List.self, Show.self, Pull.self, Transfers.self, Cancel.self, Check.self,
      Forget.self, ChangePassphrase.self, PrintVersion.self,
    ])
}
