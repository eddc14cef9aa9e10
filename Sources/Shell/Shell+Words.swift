import Language
import Names

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `promptsh -m MODEL words`: one prompt, from the command line.
extension Shell {
  /// Whether what follows `-m MODEL` is a script: one argument that is a file, standard input, or ends in `.psh`; with arguments of
  /// its own only where it is both a file and named so, for words are what is mostly meant.
  public static func isScript(_ rest: [String]) -> Bool {
    guard let first = rest.first else { return false }
    if rest.count == 1 { return first == "-" || first.hasSuffix(".psh") || isFile(first) }
    return first.hasSuffix(".psh") && isFile(first)
  }

  private static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// Sends the words as one prompt, and before them what is piped in; shows the reply as it comes. Without either it is the prompt.
  public static func ask(_ words: [String], _ options: Options) -> Int32 {
    var parts: [String] = []
    if !Descriptor.isTerminal(0) {
      switch read("-") {
      case .failure(let misuse): return misused(misuse.description)
      case .success(let text):
        let piped = String(text.trimmingSuffix(while: \.isNewline))
        if !piped.isEmpty { parts.append(piped) }
      }
    }
    let text = words.joined(separator: " ")
    if !text.allSatisfy(\.isWhitespace) { parts.append(text) }
    if parts.isEmpty {
      // Words that are empty were meant to be some: `"$QUESTION"`.
      if words.isEmpty, Descriptor.isTerminal(0) { return prompt(options) }
      return misused("there is nothing to send: \(words.isEmpty ? "no words" : "the words are empty"), and nothing is piped in")
    }
    // As an argument of the script it stays as it stands: no hole in it is one.
    let shell = ShellSession(arguments: [parts.joined(separator: "\n\n")], options: options)
    // Told here, for an error in a script that nobody wrote would point nowhere.
    let model = shell.session.settings.model
    if let problem = shell.session.world.directory.problem(with: model) { return misused("\(model) cannot be used: \(problem)".oneLine) }
    raiseDescriptorLimit()
    return block { await shell.run(Source(name: "-m", text: "stream args[0]")) }
  }
}

extension String {
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
    var rest = self[...]
    while let last = rest.last, isDropped(last) { rest.removeLast() }
    return rest
  }
}
