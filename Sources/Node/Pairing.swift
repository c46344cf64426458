internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// Pairing: a ticket lets one new peer in, and both sides know each other's identity afterwards.
extension Node {
  /// How long a ticket lives unless the user says otherwise.
  public static let defaultTicketSeconds: UInt64 = 15 * 60
  /// Longest life of a ticket: it is a secret in somebody's chat.
  public static let maximumTicketSeconds: UInt64 = 7 * 24 * 3_600
  /// How long an expired ticket is remembered.
  static let expiredTicketSeconds: UInt64 = 24 * 3_600
  /// For the inviter's word, once the joiner has introduced itself.
  static let pairingAnswerTime = Duration.seconds(10)

  /// A ticket as its creator hands it on.
  public struct Invitation: Sendable {
    /// 16 bytes that name the ticket without its secret.
    public let id: [UInt8]
    /// The one line to hand to the teammate. Secret.
    public let text: String
    /// Unix seconds.
    public let expires: UInt64
    /// The `HOST:PORT` in it.
    public let addresses: [String]
  }

  // MARK: Invite

  /// Makes a ticket for one new peer.
  public func invite(alias: String?, lifeSeconds: UInt64, addresses: [String]) async throws -> Invitation {
    guard lifeSeconds > 0, lifeSeconds <= Self.maximumTicketSeconds else {
      throw NodeError(.usage, "a ticket may live from one second to seven days")
    }
    if let alias { try await checkFree(alias: alias) }
    var reachable: [PeerAddress] = []
    for text in addresses {
      guard let address = try? PeerAddress(text) else {
        throw NodeError(.usage, "“\(text)” is no HOST:PORT", hint: "for example 192.168.1.20:7411 or [fd00::1]:7411")
      }
      guard SocketAddress(ip: address.host, port: address.port)?.isWildcard != true else {
        throw NodeError(
          .usage, "\(address) is no place that anybody can connect to",
          hint: "give the address at which the teammate reaches this machine")
      }
      reachable.append(address)
    }
    if reachable.isEmpty { reachable = advertisedAddresses() }
    let expires = context.now + lifeSeconds
    let ticket = try Ticket.mint(
      for: context.identity, addresses: reachable, expires: expires, randomness: context.crypto.randomness)
    let row = TicketRow(id: ticket.id, bytes: ticket.bytes, expires: expires, alias: alias, state: .open, spoiltCount: 0)
    do { try await context.database.addTicket(row, now: context.now) } catch {
      guard error.code == .tooManyTickets else { throw error }
      throw NodeError(.noSpace, "too many tickets are open", hint: "wait until some expire, or let teammates use them")
    }
    return Invitation(id: ticket.id, text: ticket.text, expires: expires, addresses: reachable.map(\.description))
  }

  /// Waits until the ticket is used. Throws when it expires; withdraws it when the waiting task is cancelled.
  public func awaitUse(of invitation: Invitation) async throws -> PeerSummary {
    let waiter = TicketWaiter(expires: invitation.expires)
    if let row = try await context.database.ticket(invitation.id), case .usedBy(let id) = row.state, let peer = peers[id] {
      return await peer.summary()
    }
    ticketWaiters[invitation.id, default: []].append(waiter)
    let timer = Task { [context] in
      let left = invitation.expires > context.now ? invitation.expires - context.now : 0
      try await context.loop.sleep(for: .seconds(Int64(left)))
      self.expireTickets()
    }
    defer { timer.cancel() }
    do {
      return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { waiter.wait($0) }
      } onCancel: {
        waiter.fail(CancellationError())
      }
    } catch is CancellationError {
      try? await context.database.withdrawTicket(invitation.id)
      throw CancellationError()
    }
  }

  /// Tells those who wait for tickets that have expired.
  func expireTickets() {
    for (id, waiters) in ticketWaiters {
      let (expired, alive) = (waiters.filter { $0.expires <= context.now }, waiters.filter { $0.expires > context.now })
      for waiter in expired {
        waiter.fail(NodeError(.timeout, "the ticket has expired and nobody used it", hint: "make a new one with `pawl invite`"))
      }
      ticketWaiters[id] = alive.isEmpty ? nil : alive
    }
    // A ticket is kept for a while after its end, so that somebody who comes late is told that it is expired.
    let forgotten = context.now - min(context.now, Self.expiredTicketSeconds)
    Task { try? await context.database.deleteExpiredTickets(now: forgotten) }
  }

  /// Somebody connected to pair. Throwing closes the stream silently: strangers learn nothing and spoil nothing.
  func welcomeJoiner(_ stream: TCPStream, by deadline: Deadline) async throws {
    let driver = responder(.pair, stream, by: deadline)
    let ticketID = try await driver.greet()
    guard let row = try await context.database.ticket(ticketID), row.state != .withdrawn else { throw LinkEnded() }
    let ticket = try Ticket(parsing: row.bytes.span)
    await driver.expect(psk: ticket.psk)
    let (payload, remoteKey) = try await driver.answer()
    let connection = try await driver.secured()
    // From here on the joiner has proved that it holds the ticket, and is owed an answer.
    do {
      let introduction = try Introduction(parsing: payload.span)
      let (record, _) = try introduction.verify(by: id, expecting: nil, linkKey: remoteKey, at: context.now)
      guard record.id != id else { throw SessionError(.wrongOwner) }
      try await admit(record, introduction.card, ticket: ticketID, over: connection)
    } catch is SessionError {
      _ = try await context.database.countSpoilt(ticketID)
      try await connection.send(LinkFrame.pairRefused(.spoilt).encoded)
      await connection.close()
    }
  }

  private func admit(_ record: IdentityRecord, _ card: Card, ticket: [UInt8], over connection: SecureConnection) async throws {
    // A node that pairs again keeps what we know of it; its old links end here.
    let existing = peers.removeValue(forKey: record.id)
    await existing?.stop()
    var machine =
      await existing?.machine
      ?? PeerMachine(identity: context.identity, peer: record, prekeys: prekeys, hello: hello(), crypto: context.crypto)
    let before = machine
    let (bundle, commit) = try machine.pairingBundle(at: context.now)
    let newcomer = NewPeer(
      id: record.id, record: record.bytes, name: card.name, addresses: card.addresses.map(\.description), added: context.now)
    let outcome: PairingOutcome
    do {
      outcome = try await context.database.completePairing(ticket: ticket, peer: newcomer, commits: [commit], now: context.now)
    } catch {
      if let existing { await add(row: existing.row, record: record, machine: before).run() }
      throw error
    }
    switch outcome {
    case .paired(let row), .repeated(let row):
      let peer = add(row: row, record: record, machine: machine)
      let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try self.card())
      try await connection.send(LinkFrame.pairAccepted(ours).encoded)
      await peer.attach(Link(number: LinkNumber.next(), connection: connection, dialled: nil, peerStarts: true))
      await peer.run()
      context.logger.info("paired", metadata: ["peer": "\(row.alias)", "id": "\(record.id.hex)"])
      let summary = await peer.summary()
      for waiter in ticketWaiters.removeValue(forKey: ticket) ?? [] { waiter.succeed(summary) }
    case .used, .expired, .spoilt, .withdrawn, .unknown:
      if let existing { await add(row: existing.row, record: record, machine: before).run() }
      let refusal: PairRefusal? =
        switch outcome {
        case .used: .used
        case .expired: .expired
        case .spoilt: .spoilt
        default: nil
        }
      if let refusal { try await connection.send(LinkFrame.pairRefused(refusal).encoded) }
      await connection.close()
    }
  }

  // MARK: Join

  /// Pairs with the node that made the ticket.
  public func join(_ text: String, alias: String?) async throws -> PeerSummary {
    let ticket = try Self.read(ticket: text)
    guard ticket.node != id else {
      throw NodeError(.usage, "this ticket is this node's own", hint: "run `pawl join` on the teammate's machine")
    }
    guard !ticket.isExpired(at: context.now) else {
      throw NodeError(.timeout, "the ticket has expired", hint: "ask for a new one")
    }
    if let alias { try await checkFree(alias: alias, unless: ticket.node) }
    let answer: Dialler.Answer
    do {
      let dialler = Dialler(
        context: context, preamble: .pair, remoteKey: ticket.linkKey, psk: ticket.psk, firstPayload: ticket.id)
      answer = try await dialler.dial(ticket.addresses)
    } catch let failure as Dialler.Failure { throw Self.explain(failure) }
    let bundle = try prekeys.bundle(from: context.identity, to: ticket.node, at: context.now, crypto: context.crypto)
    let ours = Introduction(record: context.identity.record.bytes, bundle: bundle.bytes, card: try card())
    let connection = try await answer.driver.complete(payload: ours.encoded)
    do { return try await finishJoining(ticket, alias: alias, connection, at: answer.address) } catch {
      await connection.close()
      throw error
    }
  }

  private func finishJoining(
    _ ticket: Ticket, alias: String?, _ connection: SecureConnection, at address: PeerAddress
  ) async throws -> PeerSummary {
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
        .notAllowed, "the inviter did not accept this node's identity, or the ticket is spoilt", hint: "ask for a new one")
    case .pairAccepted(let introduction):
      let (record, bundle) = try introduction.verify(by: id, expecting: ticket.node, linkKey: ticket.linkKey, at: context.now)
      return try await adopt(record, bundle, introduction.card, alias: alias, connection, at: address, known: ticket.addresses)
    default: throw NodeError(.integrity, "the node at \(address) answered with something else than a pairing")
    }
  }

  private func adopt(
    _ record: IdentityRecord, _ bundle: Bundle, _ card: Card, alias: String?, _ connection: SecureConnection,
    at address: PeerAddress, known: [PeerAddress]
  ) async throws -> PeerSummary {
    let existing = peers.removeValue(forKey: record.id)
    await existing?.stop()
    var machine =
      await existing?.machine
      ?? PeerMachine(identity: context.identity, peer: record, prekeys: prekeys, hello: hello(), crypto: context.crypto)
    let outcome = try machine.start(with: bundle, at: context.now)
    var addresses = [address]
    for candidate in card.addresses + known where !addresses.contains(candidate) { addresses.append(candidate) }
    let newcomer = NewPeer(
      id: record.id, record: record.bytes, name: card.name,
      addresses: addresses.prefix(PeerAddress.maximumCount).map(\.description), added: context.now)
    let wish: AliasWish = alias.map { .given($0) } ?? .wanted(card.name)
    let row = try await context.database.addPeer(newcomer, alias: wish, commits: [outcome.commit])
    let peer = add(row: row, record: record, machine: machine)
    await peer.attach(Link(number: LinkNumber.next(), connection: connection, dialled: address))
    await peer.run()
    context.logger.info("paired", metadata: ["peer": "\(row.alias)", "id": "\(record.id.hex)"])
    return await peer.summary()
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
    let places = failure.silent.map(\.description).joined(separator: ", ")
    return NodeError(
      .unreachable, "nobody answered at \(places)",
      hint: "is the inviter's node still running, and is its port open to this machine?")
  }
}

/// Waits for one ticket to be used; told exactly once.
final class TicketWaiter: Sendable {
  let expires: UInt64

  private enum State {
    case idle
    case waiting(CheckedContinuation<PeerSummary, any Error>)
    case told(Result<PeerSummary, any Error>)
    case done
  }
  private let state = Locked<State>(.idle)

  init(expires: UInt64) { self.expires = expires }

  func wait(_ continuation: CheckedContinuation<PeerSummary, any Error>) {
    let early: Result<PeerSummary, any Error>? = state.withLock { state in
      guard case .told(let result) = state else {
        state = .waiting(continuation)
        return nil
      }
      state = .done
      return result
    }
    if let early { continuation.resume(with: early) }
  }

  func succeed(_ summary: PeerSummary) { tell(.success(summary)) }
  func fail(_ error: any Error) { tell(.failure(error)) }

  private func tell(_ result: Result<PeerSummary, any Error>) {
    let waiting: CheckedContinuation<PeerSummary, any Error>? = state.withLock { state in
      switch state {
      case .idle:
        state = .told(result)
        return nil
      case .waiting(let continuation):
        state = .done
        return continuation
      case .told, .done: return nil
      }
    }
    waiting?.resume(with: result)
  }
}
