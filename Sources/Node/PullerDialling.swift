internal import EventLoop
internal import Primitives
internal import Transfer

/// Data connections that a pull dials itself.
extension Puller {
  /// Dials what was granted and is not there yet, if it is this side's turn. Looked at again with every tick: links may have come
  /// and gone since the grant, and with them whose turn it is.
  func openWhatIsMissing() async {
    guard !unopened.isEmpty, let address = await peer.pullerDials else { return }
    for (connection, key) in unopened { startTask { await self.dial(address, connection, key) } }
    unopened = [:]
  }

  private func dial(_ address: SocketAddress, _ connection: ConnectionID, _ key: SecretBox) async {
    do {
      adopt(try await DataDialler.dial(address, connection: connection, key: key, on: context.loop), as: connection)
    } catch { post(.connectionClosed(connection)) }
  }
}
