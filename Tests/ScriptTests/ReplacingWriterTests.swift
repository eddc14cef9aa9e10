import Interpreter
import Testing

@testable import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What may become of a file while rows are written that are to replace it or to stand behind it.
@Suite struct ReplacingWriterTests {
  /// A file of several names is written in its place. What has come there meanwhile may have no length (a pipe).
  @Test(arguments: [true, false]) func aPipeInTheFilesPlaceIsToldOf(hasReader: Bool) throws {
    var template = Array("/tmp/promptsh-replacing-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&template)))
    let (path, other) = ("\(folder)/x.jsonl", "\(folder)/y.jsonl")
    defer {
      for name in [path, other, path + ".partial"] { unlink(name) }
      rmdir(folder)
    }
    close(open(path, O_WRONLY | O_CREAT, 0o600))
    let writer = try ReplacingWriter(path, path: path)
    try writer.write(Array("1\n".utf8), rowEnds: [2], tail: [])
    unlink(path)
    try #require(mkfifo(path, 0o600) == 0 && link(path, other) == 0)
    let reader = hasReader ? open(path, O_RDONLY | O_NONBLOCK) : -1
    defer { if reader >= 0 { close(reader) } }
    let problem = #expect(throws: FileProblem.self) { try writer.close(.whole) }
    #expect(problem?.message.contains("the rows are in \(path).partial") == true, "\(String(describing: problem))")
    #expect(!hasReader || problem?.message.contains("the length of \(path) is not known") == true)
  }

  /// The same for a file that rows are added to: a pipe may have come since it was looked at.
  @Test func nothingIsAddedToAPipe() throws {
    var template = Array("/tmp/promptsh-replacing-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&template)))
    let path = "\(folder)/x.jsonl"
    defer {
      unlink(path)
      rmdir(folder)
    }
    try #require(mkfifo(path, 0o600) == 0)
    let problem = #expect(throws: FileProblem.self) { try AppendingWriter(path, path: path) }
    #expect(problem?.message.contains("its length is not known") == true, "\(String(describing: problem))")
  }
}
