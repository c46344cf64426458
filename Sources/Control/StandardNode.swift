internal import API
internal import EventLoop
internal import Logging
internal import Node
internal import Session
internal import Store

/// How `pawl up` makes its node: state folder, identity, listener, peers.
public let standardNode: MakeNode = { settings in
  Node.prepareProcess()
  return try await translating {
    let folder = try StateFolder.open(settings.locations)
    for path in folder.tightened {
      settings.logger.warning("was open to other users; closed it", metadata: ["path": "\(path)"])
    }
    let unlocking = Unlocking(folder: folder, source: settings.passphrase) { settings.logger.warning("\($0)") }
    let keys = try unlocking.keys()
    let configuration = NodeConfiguration(name: settings.name, listen: settings.listen.map { ($0.host, $0.port) })
    let node = try await Node.start(configuration, folder: folder, keys: keys, loop: settings.loop, logger: settings.logger)
    return StandardNode(node: node, folder: folder)
  }
}

/// A node with the state folder that it holds.
private struct StandardNode: RunningNode {
  let node: Node
  let folder: StateFolder

  var backend: any NodeBackend {
    NodeAdapter(
      node: node, stateFolder: folder.locations.state,
      warnings: folder.tightened.map { "\($0) was open to other users; it is closed now" })
  }

  var ready: ReadyLine { ReadyLine(node: node.id.hex, listening: node.listening.description) }

  func rename(to name: String) async { await node.rename(to: name) }

  func stop() async {
    await node.stop()
    folder.release()
  }
}
