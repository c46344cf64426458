import Primitives
import Session

/// What makes and checks the cases of one file.
protocol VectorKind {
  /// The file's name without `.json`.
  static var file: String { get }
  /// The section of `docs/PROTOCOL.md`.
  static var section: String { get }
  static var about: String { get }

  /// The cases, the same every time.
  static func make(_ recorder: Recorder) throws -> [VectorCase]

  /// Does what a case says, and holds every output against the recorded one. Returning means `ok`; a refusal of the code
  /// under test is thrown on; a difference is a ``Mismatch``.
  static func check(_ vector: VectorCase) throws
}

enum VectorKinds {
  /// All files but `primitives.json`, which is what the others used.
  static var made: [any VectorKind.Type] {
    [
      IdentityVectors.self, TicketVectors.self, NoiseVectors.self, FrameVectors.self, BundleVectors.self, AgreementVectors.self,
      RatchetVectors.self,
      EnvelopeVectors.self, ControlVectors.self, StreamVectors.self, ManifestVectors.self, TreeVectors.self,
    ]
  }
  static var all: [any VectorKind.Type] { made + [PrimitiveVectors.self] }

  /// All files as they are to be, `primitives.json` last.
  static func makeAll() throws -> [VectorFile] {
    let known = VectorFile.bytes(PrimitiveVectors.file) == nil ? [] : try VectorFile(PrimitiveVectors.file).cases
    let recorder = try Recorder(known: known)
    return try all.map { kind in
      VectorFile(name: kind.file, section: kind.section, about: kind.about, cases: try kind.make(recorder))
    }
  }
}

/// Unknown operations are an error of the file, not a refusal.
func unknownOperation(_ vector: VectorCase) throws -> Mismatch {
  Mismatch(description: "the operation “\(try vector.text("op"))” is unknown")
}

/// Refuses where the code under test said no.
func require(_ condition: Bool, else failure: FailureClass) throws {
  guard condition else { throw Refusal(failure: failure) }
}

/// Holds where the code under test can only be wrong.
func insist(_ condition: Bool, _ what: String) throws {
  guard condition else { throw Mismatch(description: what) }
}

func flipped(_ bytes: [UInt8], at index: Int, bit: UInt8 = 1) -> [UInt8] {
  var copy = bytes
  copy[index < 0 ? copy.count + index : index] ^= bit
  return copy
}
