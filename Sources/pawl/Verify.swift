internal import API
internal import ArgumentParser

/// `pawl verify`
struct Verify: ClientCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Show the safety number of a peer, to compare it with them.",
    discussion: """
      If a node came that seems to be the peer under new keys, both are shown, and nothing is exchanged with either until you \
      decide with --accept-new or --keep-old.
      """)

  @Argument(help: PeerArgument.help)
  var peer: String

  @Flag(help: "The numbers are the same: mark the peer as verified.")
  var confirm = false

  @Flag(help: "The new identity is the peer; the old one is revoked. Alias and what is shared with it stay.")
  var acceptNew = false

  @Flag(help: "The old identity stays the peer; the new one is forgotten.")
  var keepOld = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    if acceptNew, keepOld { throw ValidationError("--accept-new and --keep-old exclude each other.") }
  }

  func perform() throws {
    let decision: VerifyRequest.Decision? = acceptNew ? .acceptNew : keepOld ? .keepOld : nil
    try ask(.verify(VerifyRequest(peer: peer, confirm: confirm, decision: decision))) { (result: VerifyResult) in
      IdentityReport.verification(result, now: Clock.now)
    }
  }
}
