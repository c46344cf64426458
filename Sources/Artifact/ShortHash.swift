public import Primitives

/// Short forms of a file's hash that tools around Stable Diffusion show.
public enum ShortHash {
  /// AutoV2: the first ten hex digits of the whole file's SHA-256.
  public static func autoV2(_ sha256: Digest) -> String { String(sha256.hex.prefix(10)) }
}
