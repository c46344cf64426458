internal import Primitives

/// What stays the same in a chain of ours, shared by the copies of a ratchet: a step copies several of them.
final class SendingChainHead: Sendable {
  let headerKey: SecretBox
  let nextHeaderKey: SecretBox
  let keys: LocalRatchetKeys
  let kemBlock: [UInt8]
  let previousCount: UInt32
  let confirmationPrekey: UInt32

  init(
    headerKey: SecretBox, nextHeaderKey: SecretBox, keys: LocalRatchetKeys, kemBlock: [UInt8], previousCount: UInt32,
    confirmationPrekey: UInt32
  ) {
    (self.headerKey, self.nextHeaderKey, self.keys) = (headerKey, nextHeaderKey, keys)
    (self.kemBlock, self.previousCount, self.confirmationPrekey) = (kemBlock, previousCount, confirmationPrekey)
  }
}
