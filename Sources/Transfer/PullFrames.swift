internal import Artifact
internal import Primitives

extension PullMachine {
  /// How many bytes follow a header: ciphertext and tag, never more than a chunk's or a piece's.
  ///
  /// Changes nothing, and is to be asked before anything is allocated. Throws if the connection is to be closed.
  public func check(_ header: SegmentHeader, on connection: ConnectionID) throws(FrameRefusal) -> Int {
    guard connections[connection] != nil else { throw .unknownConnection }
    guard let grant = grants[header.grant] else {
      // It may have overtaken its grant, which travels on another connection.
      guard wants.values.contains(where: { $0.connection == connection }) else { throw .unasked }
      guard header.plaintextBytes <= longestPlaintext(on: connection) else { throw .badLength }
      return header.sealedBytes
    }
    _ = try next(of: grant, header, on: connection)
    return header.sealedBytes
  }

  /// Judges a frame that lies whole in memory. It is then taken for good: the same one will not be taken again.
  public mutating func take(_ header: SegmentHeader, on connection: ConnectionID, at now: Duration) -> FrameDecision {
    do throws(FrameRefusal) {
      let sealedBytes = try check(header, on: connection)
      guard let grant = grants[header.grant] else { return .early }
      let ticket = try next(of: grant, header, on: connection)
      if case .open = connections[connection]?.state { connections[connection]?.state = .open(lastFrame: now) }
      grants[header.grant]?.cursor.advance()
      let isLast = grants[header.grant]?.cursor.next == nil
      if isLast { grants[header.grant] = nil }
      update(ticket.source) {
        $0.outstandingBytes -= sealedBytes - BulkCipher.tagBytes
        if isLast { $0.outstanding -= 1 }
      }
      return .take(ticket)
    } catch {
      return .refuse(error)
    }
  }

  /// The ticket for a frame, if it is the one whose turn it is in its grant.
  private func next(
    of grant: LiveGrant, _ header: SegmentHeader, on connection: ConnectionID
  ) throws(FrameRefusal) -> FrameTicket {
    guard grant.connection == connection, let (file, chunk) = grant.cursor.next, header.file == UInt32(file),
      header.chunk == UInt64(chunk)
    else { throw .unasked }
    let plaintextBytes: Int
    let offset: UInt64
    var leaf: Digest?
    switch grant.kind {
    case .chunks:
      guard let layout = board.layout(of: file), let expected = board.leaf(of: file, chunk: chunk) else { throw .unasked }
      leaf = expected
      plaintextBytes = layout.length(of: chunk)
      offset = layout.range(of: chunk).lowerBound
    case .leafList, .manifest:
      let size = grant.kind == .manifest ? grant.objectBytes : board.layout(of: file)?.leafPieces.sizeBytes ?? 0
      plaintextBytes = PieceLayout(sizeBytes: size).length(of: chunk)
      offset = UInt64(chunk) * UInt64(TransferLimits.pieceBytes)
    }
    guard header.plaintextBytes == plaintextBytes else { throw .badLength }
    return FrameTicket(
      connection: connection, source: grant.source, kind: grant.kind, file: file, chunk: chunk, offset: offset,
      plaintextBytes: plaintextBytes, leaf: leaf, cipher: grant.cipher)
  }

  /// The longest plaintext that a frame of an unanswered request can have.
  private func longestPlaintext(on connection: ConnectionID) -> Int {
    var longest = 0
    for want in wants.values where want.connection == connection {
      switch want.kind {
      case .manifest, .leafList: longest = max(longest, TransferLimits.pieceBytes)
      case .chunks: longest = max(longest, board.layout(of: 0)?.chunkBytes ?? 0)
      }
    }
    return longest
  }

  /// A piece was opened.
  mutating func opened(_ ticket: FrameTicket, _ bytes: [UInt8], at now: Duration, _ actions: inout [PullAction]) {
    let name = ObjectName(kind: ticket.kind, file: ticket.file)
    guard ticket.kind != .chunks, objects[name]?.grant == ticket.grant else { return }
    guard objects[name]?.pieces.add(piece: ticket.chunk, bytes) == true else { return }
    lastProgress = now
    noteArrival(ticket)
    guard let whole = objects[name]?.pieces, whole.isComplete else { return }
    objects[name] = nil
    switch ticket.kind {
    case .chunks: break
    case .manifest:
      guard state == .manifest else { return }
      state = .planning
      manifestSource = ticket.source
      actions.append(.manifest(whole.bytes, from: ticket.source))
    case .leafList:
      board.checkLeaves(of: ticket.file, from: ticket.source)
      actions.append(.verifyLeafList(file: ticket.file, whole.bytes))
    }
  }

  /// A leaf list was checked.
  mutating func checked(_ list: LeafList?, of file: Int, at now: Duration, _ actions: inout [PullAction]) {
    guard let source = board.leafSource(of: file) else { return }
    lastProgress = now
    if let list {
      actions += board.accept(list, of: file)
    } else {
      board.releaseLeaves(of: file)
      drop(
        source, PullFailure(.integrity, source: source, "it sent a hash list that is not the artifact's, under its own seal"),
        at: now, &actions)
    }
  }
}
