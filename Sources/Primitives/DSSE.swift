/// Dead Simple Signing Envelope, version 1: what is signed is the type and the body, each with its length.
public enum DSSE {
  /// The pre-authentication encoding: "DSSEv1 " ‖ len(type) ‖ " " ‖ type ‖ " " ‖ len(body) ‖ " " ‖ body, lengths in decimal.
  public static func pae(type: String, body: [UInt8]) -> [UInt8] {
    let type = Array(type.utf8)
    var bytes = Array("DSSEv1 \(type.count) ".utf8)
    bytes.reserveCapacity(bytes.count + type.count + body.count + 24)
    bytes += type
    bytes += Array(" \(body.count) ".utf8)
    bytes += body
    return bytes
  }
}
