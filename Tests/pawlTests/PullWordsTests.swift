import API
import Testing

@testable import pawl

/// "verified" is a word that is said of nothing else.
@Suite struct PullWordsTests {
  private func remarks(_ state: PullResult.ReadBack) -> [String] {
    PullReport.remarks(
      PullResult(
        artifact: "lora", version: 1, digest: "ab", path: "/d/lora", files: [], bytes: 1, bytesTransferred: 1, seconds: 1,
        sources: ["studio"], readBack: state), verbose: false)
  }

  @Test func onlyWhatWasReadBackIsCalledVerified() {
    #expect(remarks(.verified).contains("verified: read back from disk, every SHA-256 is the publisher's"))
    for state in [PullResult.ReadBack.pending, .incomplete] {
      #expect(!remarks(state).contains { $0.hasPrefix("verified") || $0.contains("SHA-256") })
    }
  }
}
