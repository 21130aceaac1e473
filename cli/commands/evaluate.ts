import { Command } from '../command.ts';
import { agreementCommand } from './evaluate-agreement.ts';
import { automaticCommand } from './evaluate-automatic.ts';
import { bestOfCommand } from './evaluate-best-of.ts';
import { compareCommand } from './evaluate-compare.ts';
import { diversityCommand } from './evaluate-diversity.ts';
import { humanCommand } from './evaluate-human.ts';
import { judgeCommand } from './evaluate-judge.ts';
import { powerCommand } from './evaluate-power.ts';
import { rewardCommand } from './evaluate-reward.ts';
import { rougeCommand } from './evaluate-rouge.ts';
import { testCommand } from './evaluate-test.ts';

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('measure answers and models')
    .addCommand(rougeCommand())
    .addCommand(compareCommand())
    .addCommand(judgeCommand())
    .addCommand(agreementCommand())
    .addCommand(humanCommand())
    .addCommand(automaticCommand())
    .addCommand(diversityCommand())
    .addCommand(rewardCommand())
    .addCommand(bestOfCommand())
    .addCommand(testCommand())
    .addCommand(powerCommand());
}
