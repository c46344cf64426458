internal import API
internal import EventLoop
internal import Glibc
internal import Logging
internal import Node
internal import Session
internal import Store

/// Descriptors without which a node does not come as far as its ready line: below that the database fails, for reasons that mislead.
private let neededDescriptors = 24

/// How `pawl up` makes its node: state folder, identity, listener, peers.
public let standardNode: MakeNode = { settings in
  Node.prepareProcess()
  guard DescriptorLimit.current >= neededDescriptors else {
    throw Failure(
      .failed, "the node may open \(DescriptorLimit.current) files and connections, and needs \(neededDescriptors) to start",
      hint: "raise the limit: ulimit -n 1024")
  }
  return try await translating {
    let folder = try StateFolder.open(settings.locations)
    for path in folder.tightened {
      settings.logger.warning("was open to other users; closed it", metadata: ["path": "\(path)"])
    }
    var remarks: [String] = []
    if settings.beginsAnew {
      if let remark = try beginAnew(folder) { remarks.append(remark) }
    } else {
      try folder.requireState()
    }
    for remark in remarks { settings.logger.warning("\(remark)") }
    let unlocking = Unlocking(folder: folder, source: settings.passphrase) { settings.logger.warning("\($0)") }
    let keys = try unlocking.keys()
    let configuration = NodeConfiguration(name: settings.name, listen: settings.listen.map { ($0.host, $0.port) })
    let node = try await Node.start(configuration, folder: folder, keys: keys, loop: settings.loop, logger: settings.logger)
    return StandardNode(node: node, folder: folder, remarks: remarks)
  }
}

/// Replaces a database that is missing or damaged by an empty one. Returns what the user should know of it; nil on a first run.
private func beginAnew(_ folder: StateFolder) throws(StoreError) -> String? {
  let isFirstRun = access(folder.locations.identityFile, F_OK) != 0
  var seconds = time(nil)
  var parts = tm()
  gmtime_r(&seconds, &parts)
  var text = [CChar](repeating: 0, count: 32)
  let count = strftime(&text, text.count, "%Y%m%d-%H%M%S", &parts)
  let date = String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  let aside = try folder.beginAnew(date: date)
  if isFirstRun { return nil }
  let old = aside.map { "; the old database is \($0), with its secrets: delete it when nobody needs it any more" } ?? ""
  return
    "the state was begun anew: peers, sessions, tickets, shares and downloads under way are forgotten, identity and key are kept; pair "
    + "again with everybody, and share under new names, since versions are counted from 1 again\(old)"
}

/// A node with the state folder that it holds.
private struct StandardNode: RunningNode {
  let node: Node
  let folder: StateFolder
  let remarks: [String]

  var backend: any NodeBackend {
    NodeAdapter(
      node: node, stateFolder: folder.locations.state,
      warnings: folder.tightened.map { "\($0) was open to other users; it is closed now" } + remarks)
  }

  var ready: ReadyLine { ReadyLine(node: node.id.hex, listening: node.listening.description) }

  func rename(to name: String) async { await node.rename(to: name) }

  func stop() async {
    await node.stop()
    folder.release()
  }
}
