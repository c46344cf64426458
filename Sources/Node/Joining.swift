internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// The joiner's side of pairing.
extension Node {
  /// For the inviter's word, once the joiner has introduced itself.
  static let pairingAnswerTime = Duration.seconds(10)
  /// For what the inviter says after its answer: that comes at once.
  static let firstWordTime = Duration.seconds(5)

  /// The node that was joined.
  public struct Joined: Sendable {
    /// It is a peer from now on.
    public let peer: PeerSummary
    /// Whether its user has to decide first: it takes us for a node that it knew under other keys.
    public let isWaiting: Bool
  }

  // MARK: Join

  /// Pairs with the node that made the ticket.
  ///
  /// - Parameter newMachine: the inviter is the new machine of the peer that is called `alias`.
  public func join(_ text: String, alias: String?, newMachine: Bool = false) async throws -> Joined {
    let replaced = newMachine ? try await peerWithNewMachine(alias) : nil
    let ticket = try Self.read(ticket: text)
    guard ticket.node != id else {
      throw NodeError(.usage, "this ticket is this node's own", hint: "run `pawl join` on the teammate's machine")
    }
    // For a day its maker's clock decides, not ours: that is told of any other.
    guard !ticket.isLongOver(at: context.now) else {
      throw NodeError(
        .timeout, "the ticket has expired, more than a day ago by this machine's clock", hint: "ask for a new one")
    }
    if let alias, replaced == nil {
      try await checkFree(
        alias: alias, unless: ticket.node, hint: "for a new machine of theirs: `pawl join - --alias \(alias) --new-machine`")
    }
    let answer: Dialler.Answer
    do {
      let dialler = Dialler(
        context: context, rules: DialRules(origins: AddressOrigins(given: ticket.addresses), own: ownListeners),
        preamble: .pair, remoteKey: ticket.linkKey, psk: ticket.psk, firstPayload: ticket.id)
      answer = try await dialler.dial(ticket.addresses)
    } catch let failure as Dialler.Failure { throw Self.explain(failure) }
    let bundle = try prekeys.bundle(from: context.identity, to: ticket.node, at: context.now, crypto: context.crypto)
    let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try card())
    let connection = try await answer.driver.complete(payload: ours.encoded)
    do {
      return try await finishJoining(ticket, alias: alias, replacing: replaced?.id, connection, at: answer.address)
    } catch {
      await connection.close(saying: LinkFrame.close.encoded)
      throw error
    }
  }

  private func finishJoining(
    _ ticket: Ticket, alias: String?, replacing replaced: NodeID?, _ connection: SecureConnection, at address: PeerAddress
  ) async throws -> Joined {
    let reply: [UInt8]?
    do { reply = try await connection.receive(within: Self.pairingAnswerTime) } catch { reply = nil }
    guard let reply else {
      throw NodeError(
        .notAllowed, "the node at \(address) closed the connection without an answer",
        hint: "the ticket may have been withdrawn; ask for a new one, or try again")
    }
    switch try LinkFrame(parsing: reply.span) {
    case .pairRefused(.used):
      throw NodeError(.notAllowed, "the ticket was already used by another node", hint: "ask for a new one")
    case .pairRefused(.expired):
      throw NodeError(.timeout, "the ticket has expired, says the inviter", hint: "ask for a new one")
    case .pairRefused(.spoilt):
      throw NodeError(
        .notAllowed,
        "the inviter did not let this node in: its user has to decide about another node of this name first, or the ticket is spoilt",
        hint:
          "`pawl peers` there shows an open question; once it is decided, run the same `pawl join` again, or ask for a new ticket"
      )
    case .pairRefused(.clock(let theirs)):
      throw NodeError.clocksDiffer(ClockDifference(ours: context.now, theirs: theirs))
    case .pairAccepted(let introduction):
      let (record, bundle) = try verify(introduction, of: ticket, at: address)
      var addresses = [address]
      for candidate in introduction.card.addresses + ticket.addresses where !addresses.contains(candidate) {
        addresses.append(candidate)
      }
      let newcomer = NewPeer(
        id: record.id, record: record.bytes, name: introduction.card.name,
        addresses: await stored(addresses, of: record.id, given: ticket.addresses, toldOver: connection),
        added: context.now)
      let peer = try await changingPeers {
        try await self.refuseNewIdentity(newcomer, record, bundle, addresses, given: alias, replacing: replaced)
        return try await self.adopt(newcomer, record, bundle, alias: alias)
      }
      return try await link(peer, over: connection, at: address)
    default: throw NodeError(.integrity, "the node at \(address) answered with something else than a pairing")
    }
  }

  /// The inviter's side of the pairing, genuine. An inviter that has let us in has seen our clock, and its bundle is in time here.
  private func verify(
    _ introduction: Introduction, of ticket: Ticket, at address: PeerAddress
  ) throws -> (record: IdentityRecord, bundle: Bundle) {
    let now = context.now
    do { return try introduction.verify(by: id, expecting: ticket.node, linkKey: ticket.linkKey, at: now) } catch {
      if error.code == .notYetValid || error.code == .expired, let issued = try? introduction.claims().issued {
        throw NodeError.clocksDiffer(ClockDifference(ours: now, theirs: issued))
      }
      throw NodeError(
        .integrity,
        "the node at \(address) is not the one that the ticket names, or what it says of itself is not signed by it",
        hint: "ask for a new ticket")
    }
  }

  /// Throws if the inviter seems to be a peer under new keys: then the user is asked.
  private func refuseNewIdentity(
    _ newcomer: NewPeer, _ record: IdentityRecord, _ bundle: Bundle, _ places: [PeerAddress], given: String?,
    replacing replaced: NodeID?
  ) async throws {
    if let existing = peers[record.id] {
      guard await existing.row.blocked else { return }
      throw NodeError.identityChanged(await existing.row.alias)
    }
    var likeness = await likeness(of: record, name: newcomer.name, places: places, given: given)
    if let replaced, peers[replaced] != nil { likeness = (replaced, .announced) }
    guard let likeness else { return }
    let alias = await alias(of: likeness.peer)
    let claim = IdentityClaim(
      peer: likeness.peer, newcomer: newcomer, reason: likeness.reason, bundle: bundle.bytes)
    guard case .open(let claim) = try await context.database.open(claim) else {
      throw NodeError(
        .identityChanged, "another new identity of \(alias) waits for your decision already",
        hint: "see it with: pawl verify \(alias)")
    }
    try await block(claim)
    throw NodeError.identityChanged(alias)
  }

  private func adopt(
    _ newcomer: NewPeer, _ record: IdentityRecord, _ bundle: Bundle, alias: String?
  ) async throws -> Peer {
    let existing = peers[record.id]
    await existing?.stop(because: NodeError(.unreachable, "it is being paired anew", hint: "try again"))
    var machine = try await machine(for: record, existing: existing)
    let before = machine
    do {
      let outcome = try machine.start(with: bundle, at: context.now)
      let wish: AliasWish = alias.map { .given($0) } ?? .wanted(newcomer.name)
      let row = try await context.database.addPeer(newcomer, alias: wish, commits: [outcome.commit])
      return add(row: row, record: record, machine: machine)
    } catch {
      if let existing { await add(row: existing.row, record: record, machine: before).run() }
      throw error
    }
  }

  /// The connection of the pairing becomes a link, unless the inviter's first word is CLOSE: then its user has to decide first.
  private func link(_ peer: Peer, over connection: SecureConnection, at address: PeerAddress) async throws -> Joined {
    let word = try? await connection.receive(within: Self.firstWordTime)
    let first = word.flatMap { try? LinkFrame(parsing: $0.span) }
    let isWaiting = first == .close
    if isWaiting {
      await connection.close()
    } else {
      await peer.attach(Link(number: LinkNumber.next(), connection: connection, dialled: address), first: first)
    }
    await peer.run()
    let summary = await peer.summary()
    context.logger.info(
      "paired", metadata: ["peer": "\(summary.alias)", "id": "\(peer.id.hex)", "waiting": "\(isWaiting)"])
    return Joined(peer: summary, isWaiting: isWaiting)
  }

  // MARK: Errors

  private static func read(ticket text: String) throws -> Ticket {
    do { return try Ticket(text) } catch {
      switch error.code {
      case .notATicket: throw NodeError(.usage, "this is not a ticket", hint: "a ticket is one line that begins with pawl1")
      case .truncated: throw NodeError(.usage, "the ticket is incomplete", hint: "copy the whole line")
      case .mistyped:
        throw NodeError(.usage, "the ticket is damaged: its checksum does not match", hint: "copy it again, do not type it")
      case .unsupportedVersion:
        throw NodeError(.usage, "the ticket is of a version that this program does not know", hint: "update pawl")
      default: throw NodeError(.usage, "the ticket carries no usable address", hint: "ask for a new one")
      }
    }
  }

  private static func explain(_ failure: Dialler.Failure) -> NodeError {
    guard failure.answered.isEmpty else {
      let places = failure.answered.map(\.description).joined(separator: ", ")
      return NodeError(
        .notAllowed, "\(places) answered, but does not know this ticket or is another node",
        hint: "the ticket may have been withdrawn or belong to another node; ask for a new one")
    }
    guard failure.untried.isEmpty else {
      return NodeError(
        .noSpace, "this node may not open another file or connection, so nobody was asked",
        hint: "start it with a higher limit: ulimit -n 1024")
    }
    let places = failure.silent.map(\.description).joined(separator: ", ")
    return NodeError(
      .unreachable, "nobody answered at \(places)",
      hint: "is the inviter's node still running, and is its port open to this machine?")
  }
}
