/** Ends the program when its output can no longer be written: quietly if whoever reads it has stopped (`| head`). */
export function endWithStdout(program: string, failure: number): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`${program}: cannot write to stdout: ${error.message}\n`);
    process.exit(failure);
  });
}
