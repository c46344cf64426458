internal import Artifact
internal import Primitives

/// The selected files of a pull: which chunks are verified, which are asked for, and which leaf lists are in hand.
///
/// A chunk is asked for by one request at a time; what a request does not bring is given back. Every call takes time in
/// proportion to what it changes, never to the size of the artifact.
struct FileBoard: Sendable {
  private enum Stage {
    case unselected
    /// Its leaf list is to be fetched, and then perhaps what an earlier run wrote is to be hashed.
    case needsLeaves
    case leavesAsked
    case checkingLeaves(SourceID)
    case rehashing
    /// Its chunks may be asked for.
    case ready
    case complete
  }

  private let layouts: [ChunkLayout]
  private let roots: [Digest]
  /// Selected files, ascending.
  private let order: [Int]
  private var stages: [Stage]
  private(set) var verified: ResumeMap
  /// Verified, or asked for.
  private var claimed: ResumeMap
  /// What an earlier run says it verified, for files that are still to be hashed again.
  private let unproven: ResumeMap?
  private var leaves: [Int: LeafList] = [:]
  private var leafBytes = 0
  /// Everything selected before these places in `order` is claimed, or has its leaves asked for.
  private var chunkHead = 0
  private var leafHead = 0
  private var unfinished: Int
  /// Files that are being hashed or whose lists are being checked: here, so that no source is waited for.
  private(set) var checking = 0
  private(set) var verifiedBytes: UInt64 = 0
  let selectedBytes: UInt64
  /// Files looked at in planning so far: what planning costs, in the terms that the promise above is made in.
  private(set) var examined = 0

  /// A board without files.
  init() {
    layouts = []
    roots = []
    order = []
    stages = []
    verified = ResumeMap(layouts: [])
    claimed = verified
    unproven = nil
    unfinished = 0
    selectedBytes = 0
  }

  init(_ manifest: Manifest, selection: [Int], verified: ResumeMap?, mustRehash: Bool) {
    layouts = manifest.files.indices.map { manifest.layout(of: $0) }
    roots = manifest.files.map(\.root)
    order = Set(selection).filter { manifest.files.indices.contains($0) }.sorted()
    stages = Array(repeating: .unselected, count: layouts.count)
    let fresh = ResumeMap(layouts: layouts)
    // A map of another manifest is worth nothing.
    let earlier = verified.flatMap { $0.totalChunks == fresh.totalChunks ? $0 : nil }
    unproven = mustRehash ? earlier : nil
    let counted = mustRehash ? fresh : earlier ?? fresh
    self.verified = counted
    claimed = counted
    unfinished = order.count
    selectedBytes = order.reduce(0) { $0 + manifest.files[$1].sizeBytes }
    verifiedBytes = order.reduce(0) { $0 + counted.verifiedBytes(file: $1) }
  }

  var isComplete: Bool { unfinished == 0 }

  func layout(of file: Int) -> ChunkLayout? { layouts.indices.contains(file) ? layouts[file] : nil }

  /// What a chunk must hash to; nil before the file's leaves are verified.
  func leaf(of file: Int, chunk: Int) -> Digest? {
    guard let layout = layout(of: file), chunk < layout.count else { return nil }
    return layout.count == 1 ? roots[file] : leaves[file]?.leaves[chunk]
  }

  /// Sorts the files into what is done and what is to do, once.
  mutating func start() -> [PullAction] {
    var actions: [PullAction] = []
    for file in order {
      let layout = layouts[file]
      if layout.count == 0 || verified.isComplete(file: file) {
        finish(file, &actions)
      } else if let implied = LeafList.implied(layout: layout, root: roots[file]) {
        leavesReady(file, implied, &actions)
      } else {
        stages[file] = .needsLeaves
      }
    }
    return actions
  }

  private mutating func leavesReady(_ file: Int, _ list: LeafList, _ actions: inout [PullAction]) {
    if let unproven, unproven.verifiedChunks(file: file) > 0 {
      stages[file] = .rehashing
      checking += 1
      actions.append(.rehash(file: file, list))
    } else {
      stages[file] = .ready
      chunkHead = min(chunkHead, position(of: file))
    }
  }

  private mutating func finish(_ file: Int, _ actions: inout [PullAction]) {
    stages[file] = .complete
    unfinished -= 1
    if leaves.removeValue(forKey: file) != nil { leafBytes -= layouts[file].count * LeafList.leafBytes }
    actions.append(.fileComplete(file))
  }

  private func position(of file: Int) -> Int {
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if order[middle] < file { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

// MARK: Leaf lists

extension FileBoard {
  /// The next leaf lists worth asking for; empty if none is needed, or if enough are in hand.
  mutating func planLeaves() -> (ranges: [ChunkRange], bytes: Int) {
    while leafHead < order.count {
      if case .needsLeaves = stages[order[leafHead]] { break }
      leafHead += 1
      examined += 1
    }
    var ranges: [ChunkRange] = []
    var bytes = 0
    for place in (leafHead..<order.count).prefix(PullLimits.planningStep) {
      examined += 1
      guard case .needsLeaves = stages[order[place]] else { continue }
      let list = layouts[order[place]].leafPieces
      let held = leafBytes + bytes
      guard held == 0 || held + list.sizeBytes <= PullLimits.leafWindowBytes, ranges.count < TransferLimits.ranges else {
        break
      }
      ranges.append(ChunkRange(file: order[place], first: 0, count: list.count))
      bytes += list.sizeBytes
    }
    return (ranges, bytes)
  }

  mutating func claimLeaves(_ ranges: [ChunkRange]) {
    for range in ranges {
      stages[range.file] = .leavesAsked
      leafBytes += layouts[range.file].count * LeafList.leafBytes
    }
  }

  /// The list did not come, or was no good: it will be asked for again.
  mutating func releaseLeaves(of file: Int) {
    switch layout(of: file).map({ _ in stages[file] }) {
    case .checkingLeaves: checking -= 1
    case .leavesAsked: break
    default: return
    }
    stages[file] = .needsLeaves
    leafBytes -= layouts[file].count * LeafList.leafBytes
    leafHead = min(leafHead, position(of: file))
  }

  mutating func checkLeaves(of file: Int, from source: SourceID) {
    guard case .leavesAsked = stages[file] else { return }
    stages[file] = .checkingLeaves(source)
    checking += 1
  }

  /// Who sent the list that is being checked.
  func leafSource(of file: Int) -> SourceID? {
    guard layouts.indices.contains(file), case .checkingLeaves(let source) = stages[file] else { return nil }
    return source
  }

  mutating func accept(_ list: LeafList, of file: Int) -> [PullAction] {
    guard leafSource(of: file) != nil, list.leaves.count == layouts[file].count else { return [] }
    checking -= 1
    leaves[file] = list
    var actions: [PullAction] = []
    leavesReady(file, list, &actions)
    return actions
  }

  /// What was found of an earlier run's chunks.
  mutating func rehashed(_ file: Int, _ isGood: [Bool]) -> [PullAction] {
    guard layouts.indices.contains(file), case .rehashing = stages[file], let unproven else { return [] }
    checking -= 1
    stages[file] = .ready
    chunkHead = min(chunkHead, position(of: file))
    var actions: [PullAction] = []
    for (chunk, isGood) in isGood.enumerated() where isGood && unproven.contains(file: file, chunk: chunk) {
      claimed.mark(file: file, chunk: chunk)
      actions += mark(file, chunk).actions
    }
    return actions
  }
}

// MARK: Chunks

extension FileBoard {
  /// The next chunks to ask for, at most one grant of them, in the order of the files.
  mutating func planChunks() -> (ranges: [ChunkRange], bytes: Int) {
    while chunkHead < order.count {
      let file = order[chunkHead]
      if case .complete = stages[file] {} else if !claimed.isComplete(file: file) { break }
      chunkHead += 1
      examined += 1
    }
    var ranges: [ChunkRange] = []
    var room = TransferLimits.grantBytes
    files: for place in (chunkHead..<order.count).prefix(PullLimits.planningStep) {
      let file = order[place]
      examined += 1
      guard case .ready = stages[file], !claimed.isComplete(file: file) else { continue }
      for missing in claimed.missingRanges(file: file) {
        let wanted = fitting(missing, of: layouts[file], room: room)
        guard !wanted.isEmpty, ranges.count < TransferLimits.ranges else { break files }
        ranges.append(ChunkRange(file: file, first: wanted.lowerBound, count: wanted.count))
        room -= layouts[file].bytes(of: wanted)
        guard wanted.count == missing.count else { break files }
      }
    }
    return (ranges, TransferLimits.grantBytes - room)
  }

  private func fitting(_ chunks: Range<Int>, of layout: ChunkLayout, room: Int) -> Range<Int> {
    if layout.bytes(of: chunks) <= room { return chunks }
    return chunks.lowerBound..<min(chunks.upperBound, chunks.lowerBound + room / layout.chunkBytes)
  }

  mutating func claimChunks(_ ranges: [ChunkRange]) {
    for range in ranges {
      for chunk in range.chunks { claimed.mark(file: range.file, chunk: chunk) }
    }
  }

  /// These did not come, or were no good: they will be asked for again.
  mutating func releaseChunks(_ ranges: [ChunkRange]) {
    for range in ranges {
      for chunk in range.chunks where !verified.contains(file: range.file, chunk: chunk) {
        claimed.unmark(file: range.file, chunk: chunk)
      }
      chunkHead = min(chunkHead, position(of: range.file))
    }
  }

  /// Notes a chunk as verified. `bytes` is 0 if it was already.
  mutating func mark(_ file: Int, _ chunk: Int) -> (bytes: Int, actions: [PullAction]) {
    guard layouts.indices.contains(file), case .ready = stages[file], verified.mark(file: file, chunk: chunk) else {
      return (0, [])
    }
    claimed.mark(file: file, chunk: chunk)
    let bytes = layouts[file].length(of: chunk)
    verifiedBytes += UInt64(bytes)
    var actions: [PullAction] = []
    if verified.isComplete(file: file) { finish(file, &actions) }
    return (bytes, actions)
  }
}
