import Interpreter
import Language
import Simulator

/// The prompt: reads a statement, runs it, shows what it gave.
final class Prompt: Sendable {
  init(faults: Faults) {}
  func run() async -> Int32 { 0 }
}
