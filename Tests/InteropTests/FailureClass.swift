import Artifact
import Noise
import Primitives
import Session
import Transfer
import Wire

/// What a case expects: `ok`, or the class of refusal. The list is that of `Interop/vectors/README.md`.
enum FailureClass: String, CaseIterable {
  case ok, malformed, signature, identity, time, unknown, refused, rollback, json, content, unasked
}

/// A refusal that a check found by itself, where the code under test only says yes or no.
struct Refusal: Error {
  let failure: FailureClass
}

/// A case whose recorded bytes are not what this implementation makes of them.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

extension FailureClass {
  /// The class of what this implementation threw; nil for what is no refusal.
  init?(_ error: any Error) {
    switch error {
    case let refusal as Refusal: self = refusal.failure
    case is WireError, is TicketError: self = .malformed
    case is JSONFailure: self = .json
    case let error as SessionError: self.init(error.code)
    case let error as ArtifactError: self = error.code == .badSignature ? .signature : .content
    case let error as CryptoError: self = [.badLength, .invalidKey].contains(error.code) ? .malformed : .refused
    case is NoiseError: self = .refused
    case is FrameRefusal: self = .unasked
    default: return nil
    }
  }

  init?(_ code: SessionError.Code) {
    switch code {
    case .malformed, .tooLarge, .unsupportedVersion: self = .malformed
    case .wrongOwner, .wrongAddressee: self = .identity
    case .expired, .notYetValid, .outdated: self = .time
    case .badSignature: self = .signature
    case .unknownPrekey: self = .unknown
    case .refused: self = .refused
    default: return nil
    }
  }
}
